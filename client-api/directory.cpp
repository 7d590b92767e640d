// Room aliases, and whether a room is listed in the directory.
#include "client-api/endpoint_tables.hpp"
#include "client-api/room_requests.hpp"

namespace causeway::client_api {

namespace {

using namespace http;

// spec: client-server-api#put_matrixclientv3directoryroomroomalias
Task<Result<Response>> set_room_alias(ClientApi& api, Request& request) {
  RequestFields fields(request);
  auto alias = fields.room_alias();
  fields.read_body();
  auto room = fields.required_id<RoomId>("room_id", "a room ID");
  if (fields.error()) co_return *fields.error();
  Sender sender = Sender::of(*request.requester);
  const auto made = co_await api.rooms.create_alias(std::move(sender), std::move(alias), std::move(room));
  co_return empty_reply(made);
}

// spec: client-server-api#get_matrixclientv3directoryroomroomalias
Task<Result<Response>> get_room_id_by_alias(ClientApi& api, Request& request) {
  RequestFields fields(request);
  auto alias = fields.room_alias();
  if (fields.error()) co_return *fields.error();
  const auto resolved = co_await api.rooms.resolve_alias(std::move(alias));
  if (!resolved) co_return resolved.error();
  boost::json::array servers;
  for (const ServerName& server : resolved->servers)
    servers.emplace_back(server.str());
  co_return Response::json({{"room_id", resolved->room_id.str()}, {"servers", std::move(servers)}});
}

// spec: client-server-api#delete_matrixclientv3directoryroomroomalias
Task<Result<Response>> delete_room_alias(ClientApi& api, Request& request) {
  RequestFields fields(request);
  auto alias = fields.room_alias();
  if (fields.error()) co_return *fields.error();
  Sender sender = Sender::of(*request.requester);
  const auto deleted = co_await api.rooms.delete_alias(std::move(sender), std::move(alias));
  co_return empty_reply(deleted);
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
  RequestFields fields(request);
  auto id = fields.room_id();
  if (fields.error()) co_return *fields.error();
  const RoomInfoPtr room = co_await api.reader.room(std::move(id));
  if (!room) co_return make_error(ErrorCode::not_found, "This server does not know that room.");
  co_return Response::json({{"visibility", room->published ? "public" : "private"}});
}

// spec: client-server-api#put_matrixclientv3directorylistroomroomid
Task<Result<Response>> set_room_visibility_on_directory(ClientApi& api, Request& request) {
  RequestFields fields(request);
  auto id = fields.room_id();
  fields.read_body();
  const bool published = read_published(fields, true);
  if (fields.error()) co_return *fields.error();
  if (published && !may_publish(api, request)) co_return may_not_publish();
  Sender sender = Sender::of(*request.requester);
  const auto set = co_await api.rooms.set_published(std::move(sender), std::move(id), published);
  co_return empty_reply(set);
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
