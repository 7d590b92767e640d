// spec: server-server-api#server-implementation, server-server-api#querying-for-information
#include "federation/api.hpp"

namespace causeway::federation {

namespace {

using namespace http;

Reply get_version(FederationApi&, Request&) {
  boost::json::object server;
  server["name"] = "Causeway";
  server["version"] = CAUSEWAY_VERSION;
  boost::json::object body;
  body["server"] = std::move(server);
  co_return Response::json(body);
}

// spec: server-server-api#get_matrixfederationv1queryprofile
Reply query_profile(FederationApi& api, Request& request) {
  const auto text = request.query_parameter("user_id");
  if (!text) co_return make_error(ErrorCode::missing_param, "user_id is missing.");
  auto user = UserId::parse(*text);
  if (!user) co_return user.error();
  const auto not_found = make_error(ErrorCode::not_found, 404, "No such user or profile field here.");
  if (user->server() != api.self.name.str()) co_return not_found;
  auto profile = co_await api.accounts.profile(*user);
  if (!profile) co_return not_found;
  const auto field = request.query_parameter("field");
  boost::json::object body;
  if (profile->display_name && (!field || *field == "displayname")) body["displayname"] = *profile->display_name;
  if (profile->avatar_url && (!field || *field == "avatar_url")) body["avatar_url"] = *profile->avatar_url;
  if (field && *field != "displayname" && *field != "avatar_url") co_return not_found;
  co_return Response::json(body);
}

// spec: server-server-api#get_matrixfederationv1querydirectory
Reply query_room_directory(FederationApi& api, Request& request) {
  const auto text = request.query_parameter("room_alias");
  if (!text) co_return make_error(ErrorCode::missing_param, "room_alias is missing.");
  auto alias = RoomAlias::parse(*text);
  if (!alias) co_return alias.error();
  const auto not_found = make_error(ErrorCode::not_found, 404, "No such room alias here.");
  if (alias->server() != api.self.name.str()) co_return not_found;
  auto room = co_await api.reader.by_alias(*alias);
  if (!room) co_return not_found;
  auto members = co_await api.reader.members(room->nid);
  boost::json::array servers;
  if (room->resident) servers.emplace_back(api.self.name.str());
  for (const auto& server : members->joined_servers)
    if (server != api.self.name) servers.emplace_back(server.str());
  boost::json::object body;
  body["room_id"] = room->id.str();
  body["servers"] = std::move(servers);
  co_return Response::json(body);
}

constexpr Endpoint endpoints[] = {
    {Verb::get, "/_matrix/federation/v1/version", "getVersion", Auth::none, RateClass::read, 0, get_version,
     unbounded_work},
    {Verb::get, "/_matrix/federation/v1/query/profile", "queryProfile", Auth::federation, RateClass::federation, 0,
     query_profile},
    {Verb::get, "/_matrix/federation/v1/query/directory", "queryRoomDirectory", Auth::federation, RateClass::federation,
     0, query_room_directory},
};

}  // namespace

EndpointTable query_endpoints() {
  return endpoints;
}

}  // namespace causeway::federation
