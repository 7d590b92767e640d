// Joining, leaving and forgetting rooms, inviting, kicking, banning.
#include "client-api/endpoint_tables.hpp"
#include "client-api/room_requests.hpp"

namespace causeway::client_api {

namespace {

using namespace http;
using Kind = ChangeMembership::Kind;

constexpr std::size_t max_via = 20;
// NOTSPEC: of joins and leaves; clients send none at all although it is required.
constexpr EmptyBody no_body = EmptyBody::is_empty_object;

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

// The change of the requester's own membership, for which the body may give a reason.
ChangeMembership read_own_change(RequestFields& fields, const Request& request, Kind kind) {
  ChangeMembership change;
  change.sender = Sender::of(*request.requester);
  change.target = request.requester->user;
  change.kind = kind;
  change.membership = membership_of(kind);
  change.reason = fields.optional_string("reason");
  return change;
}

Task<Result<Response>> change_other(ClientApi& api, Request& request, Kind kind) {
  RequestFields fields(request);
  auto room = fields.room_id();
  fields.read_body();
  auto target = fields.required_id<UserId>("user_id", "a user ID");
  auto change = read_own_change(fields, request, kind);
  if (fields.error()) co_return *fields.error();
  change.target = std::move(target);
  change.room = std::move(room);
  const auto changed = co_await api.rooms.change_membership(std::move(change));
  co_return empty_reply(changed);
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
  RequestFields fields(request);
  auto room = fields.room_id();
  fields.read_body(no_body);
  auto change = read_own_change(fields, request, Kind::join);
  if (fields.error()) co_return *fields.error();
  change.room = std::move(room);
  co_return co_await join(api, std::move(change));
}

std::vector<ServerName> read_via(RequestFields& fields, const Request& request) {
  std::vector<ServerName> via;
  // NOTSPEC: `server_name` was replaced by `via` in Matrix 1.12, and clients still send it.
  for (const char* key : {"via", "server_name"}) {
    const auto [begin, end] = request.query.equal_range(key);
    for (auto it = begin; it != end && via.size() < max_via; ++it) {
      auto server = ServerName::parse(it->second);
      if (!server) {
        fields.fail(make_error(ErrorCode::invalid_param, "'" + std::string(key) + "' must hold server names."));
        return via;
      }
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
  RequestFields fields(request);
  fields.read_body(no_body);
  auto change = read_own_change(fields, request, Kind::join);
  change.via = read_via(fields, request);
  if (fields.error()) co_return *fields.error();
  const auto found = co_await find_room(api, request.path_parameter(0), change);
  if (found.has_error()) co_return found.error();
  co_return co_await join(api, std::move(change));
}

// spec: client-server-api#post_matrixclientv3roomsroomidleave
Task<Result<Response>> leave_room(ClientApi& api, Request& request) {
  RequestFields fields(request);
  auto room = fields.room_id();
  fields.read_body(no_body);
  auto change = read_own_change(fields, request, Kind::leave);
  if (fields.error()) co_return *fields.error();
  change.room = std::move(room);
  const auto left = co_await api.rooms.change_membership(std::move(change));
  co_return empty_reply(left);
}

// spec: client-server-api#post_matrixclientv3roomsroomidforget
Task<Result<Response>> forget_room(ClientApi& api, Request& request) {
  RequestFields fields(request);
  auto room = fields.room_id();
  if (fields.error()) co_return *fields.error();
  Sender sender = Sender::of(*request.requester);
  const auto forgotten = co_await api.rooms.forget(std::move(sender), std::move(room));
  co_return empty_reply(forgotten);
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
