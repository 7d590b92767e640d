// The whole Client-Server API over real services and a database of its own; other servers are played by a stand-in.
// Requests go through the router and the handlers, not through sockets.
#pragma once

#include <boost/json/parse.hpp>
#include <map>

#include "client-api/client_api.hpp"
#include "homeserver/http/uri.hpp"
#include "homeserver/sync/notifier.hpp"
#include "homeserver/sync/receipts.hpp"
#include "homeserver/sync/typing.hpp"
#include "homeserver/test/support/accounts_kit.hpp"

namespace causeway::test {

// Other servers: profiles are those of the map, nothing else can be reached.
class RemoteStandIn final : public RemoteServers {
 public:
  std::map<UserId, boost::json::object> profiles;

  Task<Result<boost::json::object>> profile(UserId user) override {
    const auto found = profiles.find(user);
    if (found == profiles.end()) co_return make_error(ErrorCode::not_found, "There is no such user.");
    co_return found->second;
  }
  Task<Result<RemoteJoin>> join(MembershipTemplate, std::vector<ServerName>) override { co_return unreachable(); }
  Task<Result<EventPtr>> leave(MembershipTemplate, std::vector<ServerName>) override { co_return unreachable(); }
  Task<Result<EventPtr>> invite(EventPtr, std::vector<EventPtr>, ServerName) override { co_return unreachable(); }
  Task<Result<ResolvedAlias>> resolve_alias(RoomAlias) override { co_return unreachable(); }
  Task<Result<std::vector<VerifiedEvent>>> backfill(RoomId, const RoomVersion*, std::vector<EventId>, std::size_t,
                                                    std::vector<ServerName>) override {
    co_return unreachable();
  }
  Task<Result<StateIds>> state_ids(RoomId, EventId, ServerName) override { co_return unreachable(); }
  Task<Result<State>> state(RoomId, const RoomVersion*, EventId, ServerName) override { co_return unreachable(); }
  Task<Result<std::vector<VerifiedEvent>>> events(RoomId, const RoomVersion*, std::vector<EventId>,
                                                  ServerName) override {
    co_return unreachable();
  }

 private:
  static MatrixError unreachable() { return make_error(ErrorCode::unknown, 502, "No server could be reached."); }
};

struct Reply {
  unsigned status = 0;
  boost::json::object json;

  // What stands at a member, as JSON text; empty when there is nothing.
  std::string operator[](std::string_view key) const {
    const auto* value = json.if_contains(key);
    return value ? boost::json::serialize(*value) : std::string();
  }
  std::string text(std::string_view key) const { return std::string(json::find_string(json, key).value_or("")); }
  std::string errcode() const { return text("errcode"); }
};

class ApiKit : public AccountsKit {
 public:
  explicit ApiKit(AccountSettings accounts_settings = usual_settings()) : AccountsKit(std::move(accounts_settings)) {
    hub.feed(events);
    rooms.set_remote(remote);
    api.settings.server_name = self.name;
    client_api::add_endpoints(router, api);
  }

  // `target` may have a query. The token's owner is found as the pipeline does it.
  Reply call(http::Verb verb, const std::string& target, const std::string& body = "", const std::string& token = "") {
    http::Request request;
    request.verb = verb;
    request.target = target;
    request.path = target.substr(0, target.find('?'));
    if (request.path.size() < target.size())
      request.query = http::parse_query(std::string_view(target).substr(request.path.size() + 1)).value();
    request.body = body;
    request.id = "test";
    const auto match = router.match(verb, request.path);
    if (!match.route) return reply_of(make_error(ErrorCode::unrecognized, match.path_known ? 405 : 404, "no route"));
    request.path_parameters = match.parameters;
    if (match.route->auth == http::Auth::access_token) {
      if (token.empty()) return reply_of(make_error(ErrorCode::missing_token, "no token"));
      request.headers["authorization"] = "Bearer " + token;
      const auto requester = authenticate(token);
      if (!requester) return reply_of(requester.error());
      request.requester = *requester;
    }
    return reply_of(run(match.route->handler(request)));
  }
  Reply get(const std::string& target, const std::string& token = "") {
    return call(http::Verb::get, target, "", token);
  }
  Reply put(const std::string& target, const std::string& body, const std::string& token = "") {
    return call(http::Verb::put, target, body, token);
  }
  Reply post(const std::string& target, const std::string& body, const std::string& token = "") {
    return call(http::Verb::post, target, body, token);
  }

  LocalServer self{ServerName::trusted("example.org"), crypto::SigningKey::generate("ed25519:test")};
  RemoteStandIn remote;
  EventStore events{database, hub.recent()};
  StateStore states{database};
  RoomReader reader{database, hub, interner, events, states};
  RoomService rooms{RoomService::Services{database, writer, interner, events, states, reader, cpu, clock, metrics, self,
                                          account_data_lanes}};
  EventSerializer serializer{hub, events, states, reader, clock};
  ReceiptService receipts{ReceiptService::Services{database, hub, writer, events, reader, interner, clock}};
  TypingService typing{reactor.get_executor(), clock, 1};
  Notifier notifier{reactor.get_executor()};
  SyncService sync{SyncServices{database, hub, reader, events, states, interner, serializer, accounts, receipts, typing,
                                notifier, clock, metrics}};
  TimelineReader timelines{events, reader, accounts, [this](RoomInfoPtr room, OrderKey before, std::size_t limit) {
                             return rooms.backfill(std::move(room), before, limit);
                           }};
  MemberReader members{reader, events, states, interner};
  client_api::ClientApi api{accounts,   rooms,    reader, timelines, members, interner, sync,
                            serializer, receipts, typing, remote,    clock,   {}};
  http::Router router;

 private:
  static Reply reply_of(const Result<http::Response>& result) {
    const http::Response response = result ? *result : http::error_response(result.error());
    return {response.status, boost::json::parse(response.body).as_object()};
  }
};

}  // namespace causeway::test
