#include "homeserver/rooms/reader/member_list_cache.hpp"

#include <algorithm>

#include "homeserver/rooms/members/membership.hpp"
#include "schema/db/tables/memberships.hpp"
#include "schema/db/tables/room_timelines.hpp"

namespace causeway {

namespace {

constexpr std::size_t max_bytes_held = 96 << 20;  // over all rooms
constexpr std::size_t members_read_at_once = 100'000;
constexpr std::string_view member_type = "m.room.member";

const StoredEvent* find_event(const Committed& facts, EventNid nid) {
  const auto it = std::ranges::find(facts.events, nid, [](const CommittedEvent& added) { return added.stored->nid; });
  return it == facts.events.end() ? nullptr : it->stored.get();
}

}  // namespace

MemberListCache::MemberListCache(db::Database& database, Interner& interner)
    : database_(database),
      interner_(interner),
      rooms_(
          max_bytes_held, [this](RoomNid room) { return load(room); },
          [](RoomNid, const Indexed& indexed) { return indexed.heap_bytes(); }) {}

Task<MemberListCache::MembersPtr> MemberListCache::of_room(RoomNid room) {
  const auto indexed = co_await rooms_.get(room);
  co_return std::shared_ptr<const RoomReader::Members>(indexed, &indexed->members);
}

Task<std::vector<MemberListCache::MembersPtr>> MemberListCache::of_rooms(std::vector<RoomNid> rooms) {
  auto load_many = [this](std::vector<RoomNid> missing) -> Task<Loaded> {
    auto query = [missing = std::move(missing)](db::Connection& connection) { return read(connection, missing); };
    return database_.run(std::move(query));
  };
  co_await rooms_.fill(rooms, std::move(load_many));
  std::vector<MembersPtr> out;
  out.reserve(rooms.size());
  for (RoomNid room : rooms)
    out.push_back(co_await of_room(room));
  co_return out;
}

void MemberListCache::committed(const Committed& facts) {
  if (facts.room == RoomNid{} || (facts.state.empty() && facts.memberships.empty())) return;
  bool current = true;
  rooms_.change(facts.room, [&](Indexed& indexed) { current = apply(indexed, facts); });
  if (!current) rooms_.drop(facts.room);
}

bool MemberListCache::apply(Indexed& indexed, const Committed& facts) const {
  for (const CommittedState& change : facts.state) {
    if (change.line != 0 || change.from_version <= indexed.state_version) continue;
    const StoredEvent* stored = find_event(facts, change.event);
    if (!stored) {
      // State resolution brought back an older event, or removed the key.
      const StateKey* key = interner_.cached_state_key_name(change.key);
      if (key && key->type != member_type) continue;
      return false;
    }
    if (!stored->event->is(member_type) || !stored->event->is_state()) continue;
    // A moderator may "kick" a state key that is no user at all.
    const auto user = UserId::parse(*stored->event->state_key());
    if (user) indexed.set({*user, membership_of(*stored->event), stored->nid});
  }
  if (facts.head) indexed.state_version = std::max(indexed.state_version, facts.head->state_version);
  for (const MembershipChange& change : facts.memberships)
    if (change.room == facts.room) indexed.set_local(change.user, change.membership == db::Membership::join);
  return true;
}

Task<std::shared_ptr<MemberListCache::Indexed>> MemberListCache::load(RoomNid room) {
  auto query = [room](db::Connection& connection) { return read(connection, std::vector<RoomNid>(1, room)); };
  auto loaded = co_await database_.run(std::move(query));
  co_return std::move(loaded.front().second);
}

MemberListCache::Loaded MemberListCache::read(db::Connection& connection, const std::vector<RoomNid>& rooms) {
  Loaded loaded;
  std::unordered_map<RoomNid, Indexed*> of_room;
  for (RoomNid room : rooms) {
    loaded.emplace_back(room, std::make_shared<Indexed>());
    of_room.emplace(room, loaded.back().second.get());
  }
  std::vector<db::MemberRow> rows;
  for (std::span<const RoomNid> left = rooms; !left.empty();) {
    const std::size_t read = db::current_members(connection, left, members_read_at_once, rows);
    for (const db::MemberRow& row : rows) {
      Indexed& indexed = *of_room.at(row.room);
      indexed.state_version = row.state_version;
      if (const auto user = UserId::parse(row.state_key))
        indexed.set({*user, row.membership.value_or(db::Membership::leave), row.event});
    }
    for (const db::LocalMember& local : db::joined_local_members(connection, left.first(read)))
      of_room.at(local.room)->members.local_joined.push_back(local.nid);
    left = left.subspan(read);
  }
  return loaded;
}

std::size_t MemberListCache::Indexed::heap_bytes() const {
  constexpr std::size_t member_bytes = sizeof(RoomReader::Member) + sizeof(UserId) + node_bytes;
  return members.all.size() * member_bytes + 2 * id_bytes +
         members.joined_servers.size() * (sizeof(ServerName) + 2 * node_bytes + max_identifier_bytes) +
         members.local_joined.size() * sizeof(UserNid);
}

void MemberListCache::Indexed::set(RoomReader::Member member) {
  const auto [place, added] = places.try_emplace(member.user, members.all.size());
  if (added) {
    members.all.emplace_back();
    id_bytes += causeway::heap_bytes(member.user.str());
  } else {
    count(members.all[place->second], false);
  }
  count(member, true);
  members.all[place->second] = std::move(member);
}

void MemberListCache::Indexed::count(const RoomReader::Member& member, bool in) {
  if (member.membership == db::Membership::invite) in ? ++members.invited : --members.invited;
  if (member.membership != db::Membership::join) return;
  in ? ++members.joined : --members.joined;
  count_on_server(member.user, in);
}

void MemberListCache::Indexed::count_on_server(const UserId& user, bool in) {
  const std::string server(user.server());
  std::size_t& joined = on_server[server];
  if (in) {
    if (joined++ == 0) members.joined_servers.push_back(ServerName::trusted(server));
  } else if (--joined == 0) {
    on_server.erase(server);
    std::erase(members.joined_servers, ServerName::trusted(server));
  }
}

void MemberListCache::Indexed::set_local(UserNid user, bool joined) {
  auto& local = members.local_joined;
  const auto it = std::ranges::find(local, user);
  if (joined && it == local.end()) local.push_back(user);
  if (!joined && it != local.end()) local.erase(it);
}

}  // namespace causeway
