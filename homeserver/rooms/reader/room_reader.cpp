#include "homeserver/rooms/reader/room_reader.hpp"

#include <algorithm>

#include "homeserver/rooms/members/membership.hpp"
#include "homeserver/rooms/reader/history_visibility.hpp"
#include "homeserver/rooms/reader/member_list_cache.hpp"
#include "homeserver/rooms/reader/membership_cache.hpp"
#include "homeserver/rooms/reader/room_cache.hpp"
#include "homeserver/rooms/reader/server_acl.hpp"
#include "schema/db/tables/aliases.hpp"
#include "schema/db/tables/interning.hpp"

namespace causeway {

struct RoomReader::Impl {
  Impl(db::Database& db, Interner& interner_, EventStore& events_, StateStore& states_)
      : database(db),
        interner(interner_),
        events(events_),
        states(states_),
        rooms(db),
        memberships(db),
        members(db, interner),
        history(db, interner, events, states, memberships),
        acls(rooms, interner, events, states) {}

  void committed(const std::vector<CommittedPtr>& commits) {
    for (const CommittedPtr& facts : commits) {
      rooms.committed(*facts);
      memberships.committed(*facts);
      members.committed(*facts);
      history.committed(*facts);
      acls.committed(*facts);
    }
  }

  // Asking for a state key must not make a row for it. 0: nowhere in any state.
  Task<std::vector<StateKeyNid>> known_state_keys(std::vector<StateKey> keys) {
    std::vector<StateKeyNid> out;
    std::vector<std::size_t> places;
    std::vector<db::TypeAndStateKey> unknown;
    for (const StateKey& key : keys) {
      const auto cached = interner.cached_state_key(key.type, key.state_key);
      out.push_back(cached.value_or(StateKeyNid{}));
      if (cached) continue;
      places.push_back(out.size() - 1);
      unknown.emplace_back(key.type, key.state_key);
    }
    if (unknown.empty()) co_return out;
    auto read = [unknown = std::move(unknown)](db::Connection& connection) {
      return db::find_state_keys(connection, unknown);
    };
    const auto found = co_await database.run(std::move(read));
    for (std::size_t i = 0; i < places.size(); ++i)
      out[places[i]] = found[i];
    co_return out;
  }

  db::Database& database;
  Interner& interner;
  EventStore& events;
  StateStore& states;
  RoomCache rooms;
  MembershipCache memberships;
  MemberListCache members;
  RoomHistory history;
  ServerAclCache acls;
};

RoomReader::RoomReader(db::Database& database, StreamHub& hub, Interner& interner, EventStore& events,
                       StateStore& states)
    : impl_(std::make_unique<Impl>(database, interner, events, states)) {
  hub.add_listener(Stage::caches,
                   [impl = impl_.get()](const std::vector<CommittedPtr>& commits) { impl->committed(commits); });
}

RoomReader::~RoomReader() = default;

Task<RoomInfoPtr> RoomReader::room(RoomId id) {
  return impl_->rooms.room(std::move(id));
}

Task<RoomInfoPtr> RoomReader::room(RoomNid nid) {
  return impl_->rooms.room(nid);
}

Task<std::vector<RoomInfoPtr>> RoomReader::rooms(std::vector<RoomNid> nids) {
  return impl_->rooms.rooms(std::move(nids));
}

Task<std::shared_ptr<const std::vector<RoomMembership>>> RoomReader::memberships(UserNid user) {
  return impl_->memberships.of_user(user);
}

Task<std::optional<RoomMembership>> RoomReader::membership(UserNid user, RoomNid room) {
  return impl_->memberships.find(user, room);
}

Task<StoredEventPtr> RoomReader::state_event(RoomNid room, StateRef at, StateKey key) {
  std::vector<StateKey> keys(1, std::move(key));
  const auto events = co_await state_events(room, at, std::move(keys));
  co_return events.front();
}

Task<std::vector<StoredEventPtr>> RoomReader::state_events(RoomNid room, StateRef at, std::vector<StateKey> keys) {
  auto key_nids = co_await impl_->known_state_keys(std::move(keys));
  const auto holders = co_await impl_->states.lookup(room, at, std::move(key_nids));
  std::vector<EventNid> set;
  for (EventNid holder : holders)
    if (holder != EventNid{}) set.push_back(holder);
  const auto found = co_await impl_->events.by_nid(std::move(set));
  std::vector<StoredEventPtr> out;
  out.reserve(holders.size());
  auto next = found.begin();
  for (EventNid holder : holders)
    out.push_back(holder != EventNid{} ? *next++ : nullptr);
  co_return out;
}

Task<std::vector<StoredEventPtr>> RoomReader::all_state(RoomNid room, StateRef at) {
  const StateMapPtr state = co_await impl_->states.at(room, at);
  std::vector<EventNid> nids;
  nids.reserve(state->size());
  for (const auto& [key, event] : *state)
    nids.push_back(event);
  auto events = co_await impl_->events.by_nid(std::move(nids));
  std::erase(events, nullptr);
  co_return events;
}

Task<std::shared_ptr<const RoomReader::Members>> RoomReader::members(RoomNid room) {
  return impl_->members.of_room(room);
}

Task<std::vector<std::shared_ptr<const RoomReader::Members>>> RoomReader::members(std::vector<RoomNid> rooms) {
  return impl_->members.of_rooms(std::move(rooms));
}

Task<db::Membership> RoomReader::membership_at(RoomNid room, StateRef at, UserId user) {
  StateKey key{"m.room.member", user.str()};
  const StoredEventPtr event = co_await state_event(room, at, std::move(key));
  co_return membership_of(event);
}

Task<std::optional<RoomReader::Readable>> RoomReader::readable(UserNid nid, UserId user, RoomInfoPtr room) {
  return impl_->history.readable(nid, std::move(user), std::move(room));
}

Task<StoredEventPtr> RoomReader::end_of_stay(UserId user, RoomMembership now) {
  return impl_->history.end_of_stay(std::move(user), std::move(now));
}

Task<std::vector<StoredEventPtr>> RoomReader::visible_to(UserId user, RoomInfoPtr room,
                                                         std::vector<StoredEventPtr> events) {
  return impl_->history.visible_to(std::move(user), std::move(room), std::move(events));
}

Task<std::vector<db::Membership>> RoomReader::memberships_at(UserId user, RoomInfoPtr room,
                                                             std::vector<StoredEventPtr> events) {
  return impl_->history.memberships_at(std::move(user), std::move(room), std::move(events));
}

Task<std::vector<EventPtr>> RoomReader::visible_to_server(ServerName server, RoomInfoPtr room,
                                                          std::vector<StoredEventPtr> events) {
  return impl_->history.visible_to_server(std::move(server), std::move(room), std::move(events));
}

Task<bool> RoomReader::server_in_room(ServerName server, RoomNid room) {
  const auto now = co_await members(room);
  co_return std::ranges::find(now->joined_servers, server) != now->joined_servers.end();
}

Task<bool> RoomReader::acl_allows(ServerName server, RoomNid room) {
  return impl_->acls.allows(std::move(server), room);
}

Task<RoomInfoPtr> RoomReader::by_alias(RoomAlias alias) {
  auto read = [alias = std::move(alias)](db::Connection& connection) { return db::find_alias(connection, alias); };
  const auto row = co_await impl_->database.run(std::move(read));
  if (!row) co_return nullptr;
  co_return co_await room(row->room);
}

Task<std::vector<RoomAlias>> RoomReader::aliases(RoomNid room) {
  auto read = [room](db::Connection& connection) { return db::aliases_of_room(connection, room); };
  co_return co_await impl_->database.run(std::move(read));
}

void RoomReader::forget(const RoomId& id, RoomNid room, const std::vector<UserNid>& users) {
  impl_->rooms.forget(id, room);
  impl_->members.forget(room);
  for (UserNid user : users)
    impl_->memberships.forget(user);
}

}  // namespace causeway
