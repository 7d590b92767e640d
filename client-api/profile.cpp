#include "client-api/endpoint_tables.hpp"
#include "client-api/request_fields.hpp"

namespace causeway::client_api {

namespace {

using namespace http;

constexpr std::string_view displayname = "displayname";
constexpr std::string_view avatar_url = "avatar_url";

// The whole profile of a user of any server.
Task<Result<boost::json::object>> whole_profile(ClientApi& api, std::string user_id) {
  const auto user = UserId::parse(user_id);
  if (!user) co_return user.error();
  if (user->server() != api.settings.server_name.str()) co_return co_await api.remote.profile(*user);
  const auto profile = co_await api.accounts.profile(*user);
  if (!profile) co_return make_error(ErrorCode::not_found, "There is no such user.");
  boost::json::object fields;
  if (profile->display_name) fields.emplace(displayname, *profile->display_name);
  if (profile->avatar_url) fields.emplace(avatar_url, *profile->avatar_url);
  co_return fields;
}

// spec: client-server-api#get_matrixclientv3profileuserid
Task<Result<Response>> get_user_profile(ClientApi& api, Request& request) {
  const auto profile = co_await whole_profile(api, request.path_parameter(0));
  if (!profile) co_return profile.error();
  co_return Response::json(*profile);
}

// spec: client-server-api#get_matrixclientv3profileuseridkeyname
Task<Result<Response>> get_profile_field(ClientApi& api, Request& request) {
  const auto profile = co_await whole_profile(api, request.path_parameter(0));
  if (!profile) co_return profile.error();
  const std::string& key = request.path_parameter(1);
  const auto* value = profile->if_contains(key);
  if (!value) co_return make_error(ErrorCode::not_found, "The user's profile has no such field.");
  co_return Response::json({{key, *value}});
}

// Sets one of the two fields that m.profile_fields allows, and tells the user's rooms.
Task<Result<Response>> change_field(ClientApi& api, Requester requester, std::string key,
                                    std::optional<std::string> value) {
  const auto turn = co_await api.accounts.profile_turn(requester.user_nid);
  if (!turn) co_return turn.error();
  Result<> changed;
  if (key == displayname)
    changed = co_await api.accounts.set_display_name(requester.user_nid, std::move(value));
  else
    changed = co_await api.accounts.set_avatar_url(requester.user_nid, std::move(value));
  if (changed.has_error()) co_return changed.error();
  const auto profile = co_await api.accounts.profile(requester.user);
  // spec: client-server-api#events-on-change-of-profile-information
  if (profile)
    co_await api.rooms.update_profile_in_rooms(Sender::of(requester), profile->display_name, profile->avatar_url);
  co_return Response::empty_object();
}

// The path: one's own, and a field that may be changed.
std::string read_own_field(RequestFields& fields, const Request& request) {
  fields.own_user();
  const std::string& key = request.path_parameter(1);
  if (key != displayname && key != avatar_url)
    fields.fail(make_error(ErrorCode::forbidden, "Only displayname and avatar_url can be changed on this server."));
  return key;
}

// spec: client-server-api#put_matrixclientv3profileuseridkeyname
Task<Result<Response>> set_profile_field(ClientApi& api, Request& request) {
  RequestFields fields(request);
  auto key = read_own_field(fields, request);
  fields.read_body();
  auto value = fields.required_string(key);
  if (fields.error()) co_return *fields.error();
  // NOTSPEC: clients take their name or picture away by setting it to nothing.
  std::optional<std::string> wanted;
  if (!value.empty()) wanted = std::move(value);
  co_return co_await change_field(api, *request.requester, std::move(key), std::move(wanted));
}

// spec: client-server-api#delete_matrixclientv3profileuseridkeyname
Task<Result<Response>> delete_profile_field(ClientApi& api, Request& request) {
  RequestFields fields(request);
  auto key = read_own_field(fields, request);
  if (fields.error()) co_return *fields.error();
  co_return co_await change_field(api, *request.requester, std::move(key), std::nullopt);
}

constexpr Endpoint endpoints[] = {
    {Verb::get, "/_matrix/client/v3/profile/{userId}", "getUserProfile", Auth::none, RateClass::read, 0,
     get_user_profile, remote_work},
    {Verb::get, "/_matrix/client/v3/profile/{userId}/{keyName}", "getProfileField", Auth::none, RateClass::read, 0,
     get_profile_field, remote_work},
    {Verb::put, "/_matrix/client/v3/profile/{userId}/{keyName}", "setProfileField", Auth::access_token,
     RateClass::write, 64 * kib, set_profile_field},
    {Verb::delete_, "/_matrix/client/v3/profile/{userId}/{keyName}", "deleteProfileField", Auth::access_token,
     RateClass::write, 16 * kib, delete_profile_field},
};

}  // namespace

EndpointTable profile_endpoints() {
  return endpoints;
}

}  // namespace causeway::client_api
