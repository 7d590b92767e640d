#include "homeserver/rooms/reader/membership_cache.hpp"

#include <algorithm>

#include "schema/db/tables/memberships.hpp"

namespace causeway {

namespace {

constexpr std::size_t max_bytes = 64u << 20;  // over all users

std::size_t bytes_of(const MembershipCache::List& list) {
  std::size_t bytes = sizeof(list) + list.size() * sizeof(RoomMembership);
  for (const RoomMembership& row : list)
    if (row.stripped_state) bytes += row.stripped_state->size();
  return bytes;
}

// What was loaded may be ahead of the hub already; a membership never goes back.
void apply(MembershipCache::List& list, const MembershipChange& change) {
  auto at = std::ranges::lower_bound(list, change.room, {}, &RoomMembership::room);
  const bool found = at != list.end() && at->room == change.room;
  if (found && at->position > change.position) return;
  if (change.forgotten) {
    if (found) list.erase(at);
    return;
  }
  if (!found) at = list.emplace(at);
  *at = RoomMembership{change.room, change.membership, change.event, change.position, false, change.stripped_state};
}

}  // namespace

MembershipCache::MembershipCache(db::Database& database)
    : database_(database),
      users_(
          max_bytes, [this](UserNid user) { return load(user); },
          [](UserNid, const List& list) { return bytes_of(list); }) {}

Task<std::shared_ptr<const MembershipCache::List>> MembershipCache::of_user(UserNid user) {
  return users_.get(user);
}

Task<std::optional<RoomMembership>> MembershipCache::find(UserNid user, RoomNid room) {
  const auto list = co_await users_.get(user);
  const auto at = std::ranges::lower_bound(*list, room, {}, &RoomMembership::room);
  if (at == list->end() || at->room != room) co_return std::nullopt;
  co_return *at;
}

void MembershipCache::committed(const Committed& facts) {
  for (const MembershipChange& change : facts.memberships)
    users_.change(change.user, [&](List& list) { apply(list, change); });
}

Task<std::shared_ptr<MembershipCache::List>> MembershipCache::load(UserNid user) {
  auto read = [user](db::Connection& connection) { return db::memberships_of_user(connection, user); };
  auto rows = co_await database_.run(std::move(read));
  auto list = std::make_shared<List>();
  list->reserve(rows.size());
  for (db::MembershipRow& row : rows)
    list->push_back({row.room, row.membership, row.event, row.position, false, std::move(row.stripped_state)});
  co_return list;
}

}  // namespace causeway
