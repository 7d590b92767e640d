// Our keys, and as a notary those of others.
//
// spec: server-server-api#retrieving-server-keys
#include <charconv>
#include <set>

#include "federation/api.hpp"
#include "homeserver/runtime/concurrency.hpp"
#include "schema/events/signing.hpp"
#include "schema/json/canonical.hpp"
#include "schema/json/json.hpp"

namespace causeway::federation {

namespace {

using namespace http;

constexpr std::size_t max_servers_per_query = 50;
constexpr std::size_t servers_at_once = 10;

// NOTSPEC: canonical, as others write it and some check the signature on the bytes as they come.
Reply get_server_key(FederationApi& api, Request&) {
  co_return Response::json_text(json::canonical(api.keys.own_keys()));
}

struct WantedKeys {
  ServerName server;
  Timestamp until = 0;
  std::set<std::string> keys = {};  // at least
};

// The documents of these servers, with our signature beside their own. One that is slow does not hold up the others.
Reply documents_of(FederationApi& api, std::vector<WantedKeys> wanted) {
  auto found = std::make_shared<std::vector<std::vector<boost::json::object>>>(wanted.size());
  std::function<Task<>(std::size_t)> job = [&api, &wanted, found](std::size_t index) -> Task<> {
    const auto& [server, until, keys] = wanted[index];
    (*found)[index] = co_await api.keys.documents(server, until, keys);
  };
  const std::size_t count = wanted.size();
  co_await for_each_concurrently(count, servers_at_once, std::move(job));
  boost::json::array documents;
  for (auto& of_server : *found)
    for (auto& document : of_server) {
      sign_json(document, api.self.name.str(), api.self.key);
      documents.emplace_back(std::move(document));
    }
  boost::json::object body;
  body["server_keys"] = std::move(documents);
  co_return Response::json_text(json::canonical(body));
}

// spec: server-server-api#get_matrixkeyv2queryservername
Reply perspectives_key_query(FederationApi& api, Request& request) {
  auto server = ServerName::parse(request.path_parameter(0));
  if (!server) co_return server.error();
  Timestamp until = api.clock.now_ms();
  if (auto text = request.query_parameter("minimum_valid_until_ts")) {
    const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), until);
    if (error != std::errc{} || end != text->data() + text->size())
      co_return make_error(ErrorCode::invalid_param, "minimum_valid_until_ts must be an integer.");
  }
  std::vector<WantedKeys> wanted(1, WantedKeys{*server, until});
  co_return co_await documents_of(api, std::move(wanted));
}

// The latest time any of the wanted keys should be valid until.
Timestamp wanted_until(const boost::json::value& criteria, Timestamp now) {
  Timestamp until = now;
  if (!criteria.is_object()) return until;
  for (const auto& [key_id, wish] : criteria.get_object())
    if (wish.is_object())
      until = std::max(until, json::find_int(wish.get_object(), "minimum_valid_until_ts").value_or(0));
  return until;
}

std::set<std::string> wanted_keys(const boost::json::value& criteria) {
  std::set<std::string> ids;
  if (const auto* by_id = criteria.if_object())
    for (const auto& [id, wish] : *by_id)
      ids.emplace(id);
  return ids;
}

// spec: server-server-api#post_matrixkeyv2query
Reply bulk_perspectives_key_query(FederationApi& api, Request& request) {
  auto body = request.json_object();
  if (!body) co_return body.error();
  auto wanted = json::required_object(*body, "server_keys");
  if (!wanted) co_return wanted.error();
  if ((*wanted)->size() > max_servers_per_query)
    co_return make_error(ErrorCode::too_large, 400, "Ask for the keys of fewer servers at once.");
  std::vector<WantedKeys> asked;
  for (const auto& [name, criteria] : **wanted) {
    auto server = ServerName::parse(std::string_view(name));
    if (server)
      asked.push_back({std::move(*server), wanted_until(criteria, api.clock.now_ms()), wanted_keys(criteria)});
  }
  co_return co_await documents_of(api, std::move(asked));
}

constexpr Endpoint endpoints[] = {
    {Verb::get, "/_matrix/key/v2/server", "getServerKey", Auth::none, RateClass::read, 0, get_server_key,
     unbounded_work},
    // NOTSPEC: older servers name the key they want.
    {Verb::get, "/_matrix/key/v2/server/{keyId}", "getServerKey", Auth::none, RateClass::read, 0, get_server_key,
     unbounded_work},
    {Verb::get, "/_matrix/key/v2/query/{serverName}", "perspectivesKeyQuery", Auth::none, RateClass::read, 0,
     perspectives_key_query, remote_work},
    {Verb::post, "/_matrix/key/v2/query", "bulkPerspectivesKeyQuery", Auth::none, RateClass::read, 64 * kib,
     bulk_perspectives_key_query, remote_work},
};

}  // namespace

EndpointTable key_endpoints() {
  return endpoints;
}

}  // namespace causeway::federation
