#include "client-api/endpoint_tables.hpp"
#include "schema/events/room_version.hpp"

namespace causeway::client_api {

namespace {

using namespace http;
using boost::json::object;

object enabled(bool is_enabled) {
  return {{"enabled", is_enabled}};
}

// spec: client-server-api#mroom_versions-capability
object room_versions(const Settings& settings) {
  object available;
  for (const RoomVersion& version : supported_room_versions())
    available.emplace(version.id, "stable");
  return {{"default", settings.default_room_version}, {"available", std::move(available)}};
}

// spec: client-server-api#mprofile_fields-capability
object profile_fields() {
  boost::json::array allowed{"displayname", "avatar_url"};
  return {{"enabled", true}, {"allowed", std::move(allowed)}};
}

// spec: client-server-api#get_matrixclientv3capabilities
Task<Result<Response>> get_capabilities(ClientApi& api, Request&) {
  object capabilities;
  capabilities.emplace("m.room_versions", room_versions(api.settings));
  capabilities.emplace("m.profile_fields", profile_fields());
  capabilities.emplace("m.set_displayname", enabled(true));
  capabilities.emplace("m.set_avatar_url", enabled(true));
  capabilities.emplace("m.change_password", enabled(false));
  capabilities.emplace("m.3pid_changes", enabled(false));
  capabilities.emplace("m.get_login_token", enabled(false));
  capabilities.emplace("m.forget_forced_upon_leave", enabled(false));
  co_return Response::json({{"capabilities", std::move(capabilities)}});
}

constexpr Endpoint endpoints[] = {
    {Verb::get, "/_matrix/client/v3/capabilities", "getCapabilities", Auth::access_token, RateClass::read, 0,
     get_capabilities},
};

}  // namespace

EndpointTable capabilities_endpoints() {
  return endpoints;
}

}  // namespace causeway::client_api
