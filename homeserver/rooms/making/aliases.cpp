#include "homeserver/rooms/making/aliases.hpp"

#include "homeserver/rooms/reader/state_permission.hpp"
#include "schema/db/tables/aliases.hpp"

namespace causeway {

namespace {

constexpr const char* canonical_alias = "m.room.canonical_alias";  // whoever may set it may name the room

MatrixError no_such_alias(const RoomAlias& alias) {
  return make_error(ErrorCode::not_found, "Room alias " + alias.str() + " not found.");
}

}  // namespace

Task<Result<>> Aliases::create(Sender user, RoomAlias alias, RoomId room_id) {
  if (alias.server() != services_.self.name.str())
    co_return make_error(ErrorCode::invalid_param,
                         "An alias is made on its own server: " + std::string(alias.server()));
  const auto claimed = co_await claim(alias);
  if (!claimed) co_return make_error(ErrorCode::unknown, 409, "Room alias " + alias.str() + " already exists.");
  auto room = co_await services_.reader.room(room_id);
  if (!room) co_return make_error(ErrorCode::not_found, "This server does not know that room.");
  // NOTSPEC: a name for a room is its members' to give, as on other servers; it is shown to all of them.
  const auto membership = co_await services_.reader.membership(user.nid, room->nid);
  if (!membership || membership->membership != db::Membership::join)
    co_return make_error(ErrorCode::forbidden, "You are not in this room.");
  auto unit = std::make_shared<WriteUnit>();
  unit->room = room->nid;
  unit->changes.emplace_back(db::AliasChange::added(std::move(alias), room->nid, user.nid));
  co_return co_await services_.writer.commit(std::move(unit));
}

Task<Aliases::Claim> Aliases::claim(RoomAlias alias) {
  auto guard = std::make_unique<NameGuard>(under_way_, alias.str());
  const auto taken = co_await services_.reader.by_alias(std::move(alias));
  if (taken || !guard->held()) guard.reset();
  co_return guard;
}

// spec: client-server-api#put_matrixclientv3directorylistroomroomid
Task<Result<>> Aliases::set_published(Sender user, RoomId room_id, bool published) {
  auto room = co_await services_.reader.room(room_id);
  if (!room) co_return make_error(ErrorCode::not_found, "Room not found");
  const bool may = co_await may_set_state(services_.reader, room, user.user, canonical_alias);
  if (!may) co_return make_error(ErrorCode::forbidden, "You may not change whether this room is listed.");
  if (room->published == published) co_return Result<>{};
  auto unit = std::make_shared<WriteUnit>();
  unit->room = room->nid;
  unit->changes.emplace_back(db::PublicationChange{room->nid, published});
  co_return co_await services_.writer.commit(std::move(unit));
}

Task<Result<>> Aliases::remove(Sender user, RoomAlias alias) {
  if (alias.server() != services_.self.name.str())
    co_return make_error(ErrorCode::invalid_param, "An alias is deleted on its own server.");
  auto find = [alias](db::Connection& connection) { return db::find_alias(connection, alias); };
  auto row = co_await services_.database.run(std::move(find));
  if (!row) co_return no_such_alias(alias);
  if (row->creator != user.nid) {
    auto room = co_await services_.reader.room(row->room);
    if (!room) co_return no_such_alias(alias);
    const bool may = co_await may_set_state(services_.reader, room, user.user, canonical_alias);
    if (!may) co_return make_error(ErrorCode::forbidden, "You may not delete this alias.");
  }
  auto unit = std::make_shared<WriteUnit>();
  unit->changes.emplace_back(db::AliasChange::deleted(std::move(alias), row->room));
  co_return co_await services_.writer.commit(std::move(unit));
}

Task<Result<ResolvedAlias>> Aliases::resolve(RoomAlias alias) {
  ResolvedAlias resolved;
  if (alias.server() != services_.self.name.str()) {
    auto found = co_await services_.remote->resolve_alias(std::move(alias));
    if (!found) co_return found.error();
    resolved.room_id = std::move(found->room_id);
    resolved.servers = std::move(found->servers);
    co_return resolved;
  }
  auto room = co_await services_.reader.by_alias(alias);
  if (!room) co_return no_such_alias(alias);
  resolved.room_id = room->id;
  auto members = co_await services_.reader.members(room->nid);
  if (room->resident) resolved.servers.push_back(services_.self.name);
  for (const auto& server : members->joined_servers)
    if (server != services_.self.name) resolved.servers.push_back(server);
  co_return resolved;
}

}  // namespace causeway
