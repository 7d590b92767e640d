#include "client-api/endpoint_tables.hpp"
#include "client-api/request_fields.hpp"
#include "client-api/session_reply.hpp"

namespace causeway::client_api {

namespace {

using namespace http;

// spec: client-server-api#get_matrixclientv3login
Task<Result<Response>> get_login_flows(ClientApi&, Request&) {
  co_return Response::json_text(R"({"flows":[{"type":"m.login.password"}]})");
}

// The user ID or localpart that the client gives. spec: client-server-api#identifier-types
std::string read_user(RequestFields& fields) {
  const auto* identifier = fields.optional_object("identifier");
  // Before identifiers there were `user`, and `medium` with `address`.
  if (!identifier && !fields.members().contains("medium")) return fields.required_string("user");
  const auto type = identifier ? fields.keep(json::required_string(*identifier, "type")) : "m.id.thirdparty";
  if (type == "m.id.user") return fields.keep(json::required_string(*identifier, "user"));
  // spec: client-server-api#password-based: third-party identifiers that the server does not know are 403
  if (type == "m.id.thirdparty" || type == "m.id.phone")
    fields.fail(make_error(ErrorCode::forbidden, "No account is known by this third-party identifier."));
  fields.fail(make_error(ErrorCode::unknown, 400, "This type of identifier is not known."));
  return {};
}

// spec: client-server-api#post_matrixclientv3login
Task<Result<Response>> login(ClientApi& api, Request& request) {
  RequestFields fields(request);
  fields.read_body();
  if (fields.required_string("type") != "m.login.password")
    fields.fail(make_error(ErrorCode::unknown, 400, "This type of login is not offered."));
  const auto identifier = read_user(fields);
  const auto password = fields.required_string("password");
  const auto device_id = fields.optional_string("device_id");
  const auto device_name = fields.optional_string("initial_device_display_name");
  if (fields.error()) co_return *fields.error();

  const auto user = co_await api.accounts.check_password(identifier, password);
  if (!user) co_return user.error();
  const auto logged_in = co_await api.accounts.log_in(*user, device_id, device_name);
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
