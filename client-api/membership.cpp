// Joining, leaving and forgetting rooms, inviting, kicking, banning.
#include "client-api/endpoint_tables.hpp"
#include "client-api/room_requests.hpp"

namespace causeway::client_api {

namespace {

using namespace http;
using Kind = ChangeMembership::Kind;

constexpr std::size_t max_via = 20;

db::Membership membership_of(Kind kind) {
  switch (kind) {
    case Kind::invite:
      return db::Membership::invite;
    case Kind::join:
      return db::Membership::join;
    case Kind::ban:
      return db::Membership::ban;
    case Kind::leave:
    case Kind::kick:
    case Kind::unban:
      return db::Membership::leave;
  }
  return db::Membership::leave;
}

// The change of the requester's own membership that a body may give a reason for.
Result<ChangeMembership> read_own_change(const Request& request, Kind kind) {
  // NOTSPEC: clients send no body at all although it is required.
  const auto body = request.json_object(true);
  if (!body) return body.error();
  auto reason = json::optional_string(*body, "reason");
  if (!reason) return reason.error();
  ChangeMembership change;
  change.sender = Sender::of(*request.requester);
  change.target = request.requester->user;
  change.kind = kind;
  change.membership = membership_of(kind);
  change.reason = std::move(*reason);
  return change;
}

// The change of somebody's membership of the room in the path.
Result<ChangeMembership> read_change(const Request& request, Kind kind) {
  auto room = room_id_parameter(request);
  if (!room) return room.error();
  const auto body = request.json_object();
  if (!body) return body.error();
  auto target = required_user_id(*body, "user_id");
  if (!target) return target.error();
  auto change = read_own_change(request, kind);
  if (!change) return change.error();
  change->target = std::move(*target);
  change->room = std::move(*room);
  return change;
}

Task<Result<Response>> change_other(ClientApi& api, Request& request, Kind kind) {
  auto change = read_change(request, kind);
  if (!change) co_return change.error();
  const auto changed = co_await api.rooms.change_membership(std::move(*change));
  if (changed.has_error()) co_return changed.error();
  co_return Response::empty_object();
}

// spec: client-server-api#post_matrixclientv3roomsroomidinvite
Task<Result<Response>> invite_user(ClientApi& api, Request& request) {
  return change_other(api, request, Kind::invite);
}

// spec: client-server-api#post_matrixclientv3roomsroomidkick
Task<Result<Response>> kick(ClientApi& api, Request& request) {
  return change_other(api, request, Kind::kick);
}

// spec: client-server-api#post_matrixclientv3roomsroomidban
Task<Result<Response>> ban(ClientApi& api, Request& request) {
  return change_other(api, request, Kind::ban);
}

// spec: client-server-api#post_matrixclientv3roomsroomidunban
Task<Result<Response>> unban(ClientApi& api, Request& request) {
  return change_other(api, request, Kind::unban);
}

Task<Result<Response>> join(ClientApi& api, ChangeMembership change) {
  const std::string room_id = change.room.str();
  const auto joined = co_await api.rooms.change_membership(std::move(change));
  if (joined.has_error()) co_return joined.error();
  co_return Response::json({{"room_id", room_id}});
}

// spec: client-server-api#post_matrixclientv3roomsroomidjoin
Task<Result<Response>> join_room_by_id(ClientApi& api, Request& request) {
  auto room = room_id_parameter(request);
  if (!room) co_return room.error();
  auto change = read_own_change(request, Kind::join);
  if (!change) co_return change.error();
  change->room = std::move(*room);
  co_return co_await join(api, std::move(*change));
}

Result<std::vector<ServerName>> read_via(const Request& request) {
  std::vector<ServerName> via;
  // NOTSPEC: `server_name` was replaced by `via` in Matrix 1.12, and clients still send it.
  for (const char* key : {"via", "server_name"}) {
    const auto [begin, end] = request.query.equal_range(key);
    for (auto it = begin; it != end && via.size() < max_via; ++it) {
      auto server = ServerName::parse(it->second);
      if (!server) return make_error(ErrorCode::invalid_param, "'" + std::string(key) + "' must hold server names.");
      if (std::ranges::find(via, *server) == via.end()) via.push_back(std::move(*server));
    }
  }
  return via;
}

// Puts the room into the change, with the servers that know it.
Task<Result<>> find_room(ClientApi& api, std::string id_or_alias, ChangeMembership& change) {
  if (auto id = RoomId::parse(id_or_alias)) {
    change.room = std::move(*id);
    co_return Result<>();
  }
  auto alias = RoomAlias::parse(id_or_alias);
  if (!alias) co_return make_error(ErrorCode::invalid_param, "This is neither a room ID nor a room alias.");
  auto resolved = co_await api.rooms.resolve_alias(std::move(*alias));
  if (!resolved) co_return resolved.error();
  change.room = std::move(resolved->room_id);
  for (ServerName& server : resolved->servers)
    if (std::ranges::find(change.via, server) == change.via.end()) change.via.push_back(std::move(server));
  co_return Result<>();
}

// spec: client-server-api#post_matrixclientv3joinroomidoralias
Task<Result<Response>> join_room(ClientApi& api, Request& request) {
  auto change = read_own_change(request, Kind::join);
  if (!change) co_return change.error();
  auto via = read_via(request);
  if (!via) co_return via.error();
  change->via = std::move(*via);
  const auto found = co_await find_room(api, request.path_parameter(0), *change);
  if (found.has_error()) co_return found.error();
  co_return co_await join(api, std::move(*change));
}

// spec: client-server-api#post_matrixclientv3roomsroomidleave
Task<Result<Response>> leave_room(ClientApi& api, Request& request) {
  auto room = room_id_parameter(request);
  if (!room) co_return room.error();
  auto change = read_own_change(request, Kind::leave);
  if (!change) co_return change.error();
  change->room = std::move(*room);
  const auto left = co_await api.rooms.change_membership(std::move(*change));
  if (left.has_error()) co_return left.error();
  co_return Response::empty_object();
}

// spec: client-server-api#post_matrixclientv3roomsroomidforget
Task<Result<Response>> forget_room(ClientApi& api, Request& request) {
  auto room = room_id_parameter(request);
  if (!room) co_return room.error();
  Sender sender = Sender::of(*request.requester);
  const auto forgotten = co_await api.rooms.forget(std::move(sender), std::move(*room));
  if (forgotten.has_error()) co_return forgotten.error();
  co_return Response::empty_object();
}

constexpr std::size_t body_limit = 64 * kib;

constexpr Endpoint endpoints[] = {
    {Verb::post, "/_matrix/client/v3/rooms/{roomId}/invite", "inviteUser", Auth::access_token, RateClass::write,
     body_limit, invite_user, remote_work},
    {Verb::post, "/_matrix/client/v3/rooms/{roomId}/join", "joinRoomById", Auth::access_token, RateClass::join,
     body_limit, join_room_by_id},
    {Verb::post, "/_matrix/client/v3/join/{roomIdOrAlias}", "joinRoom", Auth::access_token, RateClass::join, body_limit,
     join_room},
    {Verb::post, "/_matrix/client/v3/rooms/{roomId}/leave", "leaveRoom", Auth::access_token, RateClass::write,
     body_limit, leave_room, remote_work},
    {Verb::post, "/_matrix/client/v3/rooms/{roomId}/forget", "forgetRoom", Auth::access_token, RateClass::write,
     body_limit, forget_room},
    {Verb::post, "/_matrix/client/v3/rooms/{roomId}/kick", "kick", Auth::access_token, RateClass::write, body_limit,
     kick},
    {Verb::post, "/_matrix/client/v3/rooms/{roomId}/ban", "ban", Auth::access_token, RateClass::write, body_limit, ban},
    {Verb::post, "/_matrix/client/v3/rooms/{roomId}/unban", "unban", Auth::access_token, RateClass::write, body_limit,
     unban},
};

}  // namespace

EndpointTable membership_endpoints() {
  return endpoints;
}

}  // namespace causeway::client_api
