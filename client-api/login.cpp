#include "client-api/endpoint_tables.hpp"
#include "client-api/session_reply.hpp"
#include "schema/json/json.hpp"

namespace causeway::client_api {

namespace {

using namespace http;

// spec: client-server-api#get_matrixclientv3login
Task<Result<Response>> get_login_flows(ClientApi&, Request&) {
  co_return Response::json_text(R"({"flows":[{"type":"m.login.password"}]})");
}

// The user ID or localpart that the client gives. spec: client-server-api#identifier-types
Result<std::string> identified_user(const boost::json::object& body) {
  const auto identifier = json::optional_object(body, "identifier");
  if (!identifier) return identifier.error();
  // Before identifiers there were `user`, and `medium` with `address`.
  if (!*identifier && !body.contains("medium")) return json::required_string(body, "user");
  const auto type = *identifier ? json::required_string(**identifier, "type") : Result<std::string>("m.id.thirdparty");
  if (!type) return type.error();
  if (*type == "m.id.user") return json::required_string(**identifier, "user");
  // spec: client-server-api#password-based: third-party identifiers that the server does not know are 403
  if (*type == "m.id.thirdparty" || *type == "m.id.phone")
    return make_error(ErrorCode::forbidden, "No account is known by this third-party identifier.");
  return make_error(ErrorCode::unknown, 400, "This type of identifier is not known.");
}

// spec: client-server-api#post_matrixclientv3login
Task<Result<Response>> login(ClientApi& api, Request& request) {
  const auto body = request.json_object();
  if (!body) co_return body.error();
  const auto type = json::required_string(*body, "type");
  if (!type) co_return type.error();
  if (*type != "m.login.password") co_return make_error(ErrorCode::unknown, 400, "This type of login is not offered.");
  const auto identifier = identified_user(*body);
  if (!identifier) co_return identifier.error();
  const auto password = json::required_string(*body, "password");
  if (!password) co_return password.error();
  const auto device_id = json::optional_string(*body, "device_id");
  if (!device_id) co_return device_id.error();
  const auto device_name = json::optional_string(*body, "initial_device_display_name");
  if (!device_name) co_return device_name.error();

  const auto user = co_await api.accounts.check_password(*identifier, *password);
  if (!user) co_return user.error();
  const auto logged_in = co_await api.accounts.log_in(*user, *device_id, *device_name);
  if (!logged_in) co_return logged_in.error();
  auto reply = login_reply(api, *logged_in);
  if (!api.settings.public_baseurl.empty()) {
    boost::json::object homeserver;
    homeserver.emplace("base_url", api.settings.public_baseurl);
    boost::json::object well_known;
    well_known.emplace("m.homeserver", std::move(homeserver));
    reply.emplace("well_known", std::move(well_known));
  }
  co_return Response::json(reply);
}

constexpr Endpoint endpoints[] = {
    {Verb::get, "/_matrix/client/v3/login", "getLoginFlows", Auth::none, RateClass::read, 0, get_login_flows},
    {Verb::post, "/_matrix/client/v3/login", "login", Auth::none, RateClass::login, 16 * kib, login},
};

}  // namespace

EndpointTable login_endpoints() {
  return endpoints;
}

}  // namespace causeway::client_api
