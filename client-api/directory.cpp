// Room aliases, and whether a room is listed in the directory.
#include "client-api/endpoint_tables.hpp"
#include "client-api/room_requests.hpp"

namespace causeway::client_api {

namespace {

using namespace http;

Result<RoomAlias> alias_parameter(const Request& request) {
  auto alias = RoomAlias::parse(request.path_parameter(0));
  if (!alias) return make_error(ErrorCode::invalid_param, "Room alias invalid");
  return alias;
}

// spec: client-server-api#put_matrixclientv3directoryroomroomalias
Task<Result<Response>> set_room_alias(ClientApi& api, Request& request) {
  auto alias = alias_parameter(request);
  if (!alias) co_return alias.error();
  const auto body = request.json_object();
  if (!body) co_return body.error();
  const auto text = json::required_string(*body, "room_id");
  if (!text) co_return text.error();
  auto room = RoomId::parse(*text);
  if (!room) co_return make_error(ErrorCode::invalid_param, "'room_id' must be a room ID.");
  Sender sender = Sender::of(*request.requester);
  const auto made = co_await api.rooms.create_alias(std::move(sender), std::move(*alias), std::move(*room));
  if (made.has_error()) co_return made.error();
  co_return Response::empty_object();
}

// spec: client-server-api#get_matrixclientv3directoryroomroomalias
Task<Result<Response>> get_room_id_by_alias(ClientApi& api, Request& request) {
  auto alias = alias_parameter(request);
  if (!alias) co_return alias.error();
  const auto resolved = co_await api.rooms.resolve_alias(std::move(*alias));
  if (!resolved) co_return resolved.error();
  boost::json::array servers;
  for (const ServerName& server : resolved->servers)
    servers.emplace_back(server.str());
  co_return Response::json({{"room_id", resolved->room_id.str()}, {"servers", std::move(servers)}});
}

// spec: client-server-api#delete_matrixclientv3directoryroomroomalias
Task<Result<Response>> delete_room_alias(ClientApi& api, Request& request) {
  auto alias = alias_parameter(request);
  if (!alias) co_return alias.error();
  Sender sender = Sender::of(*request.requester);
  const auto deleted = co_await api.rooms.delete_alias(std::move(sender), std::move(*alias));
  if (deleted.has_error()) co_return deleted.error();
  co_return Response::empty_object();
}

// spec: client-server-api#get_matrixclientv3roomsroomidaliases
Task<Result<Response>> get_local_aliases(ClientApi& api, Request& request) {
  const auto room = co_await readable_room(api, request);
  if (!room) co_return room.error();
  if (!room->readable.present) co_return make_error(ErrorCode::forbidden, "You aren't a member of the room.");
  const auto found = co_await api.reader.aliases(room->info->nid);
  boost::json::array aliases;
  for (const RoomAlias& alias : found)
    aliases.emplace_back(alias.str());
  co_return Response::json({{"aliases", std::move(aliases)}});
}

// spec: client-server-api#get_matrixclientv3directorylistroomroomid
Task<Result<Response>> get_room_visibility_on_directory(ClientApi& api, Request& request) {
  auto id = room_id_parameter(request);
  if (!id) co_return id.error();
  const RoomInfoPtr room = co_await api.reader.room(std::move(*id));
  if (!room) co_return make_error(ErrorCode::not_found, "This server does not know that room.");
  co_return Response::json({{"visibility", room->published ? "public" : "private"}});
}

// spec: client-server-api#put_matrixclientv3directorylistroomroomid
Task<Result<Response>> set_room_visibility_on_directory(ClientApi& api, Request& request) {
  auto id = room_id_parameter(request);
  if (!id) co_return id.error();
  const auto body = request.json_object();
  if (!body) co_return body.error();
  const auto published = read_published(*body, true);
  if (!published) co_return published.error();
  if (*published && !may_publish(api, request)) co_return may_not_publish();
  Sender sender = Sender::of(*request.requester);
  const auto set = co_await api.rooms.set_published(std::move(sender), std::move(*id), *published);
  if (set.has_error()) co_return set.error();
  co_return Response::empty_object();
}

constexpr std::size_t body_limit = 16 * kib;

constexpr Endpoint endpoints[] = {
    {Verb::put, "/_matrix/client/v3/directory/room/{roomAlias}", "setRoomAlias", Auth::access_token, RateClass::write,
     body_limit, set_room_alias},
    {Verb::get, "/_matrix/client/v3/directory/room/{roomAlias}", "getRoomIdByAlias", Auth::none, RateClass::read, 0,
     get_room_id_by_alias, remote_work},
    {Verb::delete_, "/_matrix/client/v3/directory/room/{roomAlias}", "deleteRoomAlias", Auth::access_token,
     RateClass::write, body_limit, delete_room_alias},
    {Verb::get, "/_matrix/client/v3/rooms/{roomId}/aliases", "getLocalAliases", Auth::access_token, RateClass::read, 0,
     get_local_aliases},
    {Verb::get, "/_matrix/client/v3/directory/list/room/{roomId}", "getRoomVisibilityOnDirectory", Auth::none,
     RateClass::read, 0, get_room_visibility_on_directory},
    {Verb::put, "/_matrix/client/v3/directory/list/room/{roomId}", "setRoomVisibilityOnDirectory", Auth::access_token,
     RateClass::write, body_limit, set_room_visibility_on_directory},
};

}  // namespace

EndpointTable directory_endpoints() {
  return endpoints;
}

}  // namespace causeway::client_api
