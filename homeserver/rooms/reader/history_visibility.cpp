#include "homeserver/rooms/reader/history_visibility.hpp"

#include <algorithm>
#include <limits>
#include <map>

#include "homeserver/rooms/members/membership.hpp"
#include "schema/db/tables/room_servers.hpp"

namespace causeway {

namespace {

constexpr std::size_t members_at_once = 100;
constexpr OrderKey end_of_timeline{std::numeric_limits<StreamPosition>::max(), 0};

bool is_member_event_of(const Event& event, const UserId& user) {
  return event.is_state("m.room.member", user.str());
}

bool is_visibility_event(const Event& event) {
  return event.is_state("m.room.history_visibility", "");
}

db::Membership membership_after(const Event& event, const UserId& user, db::Membership before) {
  return is_member_event_of(event, user) ? membership_of(event) : before;
}

HistoryVisibility visibility_after(const Event& event, HistoryVisibility before) {
  return is_visibility_event(event) ? parse_history_visibility(event.content()) : before;
}

// A change of visibility, and one's own membership, is judged by what held before and by what held after.
bool may_see_event(const Event& event, const UserId& user, HistoryVisibility visibility, db::Membership membership,
                   bool joined_later) {
  const HistoryVisibility visibility_then = visibility_after(event, visibility);
  const db::Membership membership_then = membership_after(event, user, membership);
  return may_see(visibility, membership, joined_later) || may_see(visibility_then, membership, joined_later) ||
         may_see(visibility, membership_then, joined_later);
}

// As for UserId::server(), of what may be no user ID at all.
std::string_view server_of(std::string_view user) {
  const auto colon = user.find(':');
  return colon == std::string_view::npos ? std::string_view() : user.substr(colon + 1);
}

bool open_to_servers(HistoryVisibility visibility) {
  return visibility == HistoryVisibility::world_readable || visibility == HistoryVisibility::shared;
}

}  // namespace

// spec: client-server-api#server-behaviour-5
bool may_see(HistoryVisibility visibility, db::Membership membership, bool joined_later) {
  if (visibility == HistoryVisibility::world_readable) return true;
  if (membership == db::Membership::join) return true;
  if (visibility == HistoryVisibility::shared) return joined_later;
  return visibility == HistoryVisibility::invited && membership == db::Membership::invite;
}

RoomHistory::RoomHistory(db::Database& database, Interner& interner, EventStore& events, StateStore& states,
                         MembershipCache& memberships)
    : database_(database),
      interner_(interner),
      events_(events),
      states_(states),
      memberships_(memberships),
      timelines_(database, interner, events, states) {}

Task<std::optional<RoomReader::Readable>> RoomHistory::readable(UserNid nid, UserId user, RoomInfoPtr room) {
  RoomReader::Readable now;
  now.state = room->state;
  now.until = end_of_timeline;
  now.present = true;
  const auto membership = co_await memberships_.find(nid, room->nid);
  now.joined = membership && membership->membership == db::Membership::join;
  if (now.joined) co_return now;
  if (co_await timelines_.visibility_at(room->nid, room->state) == HistoryVisibility::world_readable) co_return now;
  if (!membership) co_return std::nullopt;
  const StoredEventPtr end = co_await timelines_.end_of_stay(std::move(user), *membership);
  if (!end || !end->order) co_return std::nullopt;
  RoomReader::Readable past;
  past.state = end->state_after();
  past.until = *end->order;
  co_return past;
}

Task<RoomHistory::Events> RoomHistory::visible_to(UserId user, RoomInfoPtr room, Events events) {
  std::erase_if(events, [](const StoredEventPtr& event) { return !event || !event->order; });
  if (events.empty()) co_return events;
  const UserNid nid = co_await interner_.user(user);
  const auto now = co_await memberships_.find(nid, room->nid);
  const auto visibility = co_await timelines_.visibility_before(room->nid, events);
  std::optional<OrderKey> joined_until;
  if (now && now->membership == db::Membership::join) {
    joined_until = end_of_timeline;
  } else if (now) {
    const StoredEventPtr end = co_await timelines_.end_of_stay(user, *now);
    if (end) joined_until = end->order;
  }
  const auto joined_later = [&](const StoredEvent& event) { return joined_until && *event.order <= *joined_until; };

  std::vector<bool> seen(events.size());
  std::vector<std::size_t> undecided;  // those that depend on what the user was at the time
  Events asked;
  for (std::size_t i = 0; i < events.size(); ++i) {
    const StoredEvent& event = *events[i];
    seen[i] = may_see_event(*event.event, user, visibility[i], db::Membership::leave, joined_later(event));
    if (seen[i] || !now) continue;
    undecided.push_back(i);
    asked.push_back(events[i]);
  }
  if (!undecided.empty()) {
    const auto membership = co_await timelines_.membership_before(user, *now, std::move(asked));
    for (std::size_t n = 0; n < undecided.size(); ++n) {
      const std::size_t i = undecided[n];
      seen[i] = may_see_event(*events[i]->event, user, visibility[i], membership[n], joined_later(*events[i]));
    }
  }
  Events out;
  for (std::size_t i = 0; i < events.size(); ++i)
    if (seen[i]) out.push_back(std::move(events[i]));
  co_return out;
}

Task<std::vector<db::Membership>> RoomHistory::memberships_at(UserId user, RoomInfoPtr room, Events events) {
  const UserNid nid = co_await interner_.user(user);
  const auto now = co_await memberships_.find(nid, room->nid);
  std::vector<db::Membership> out(events.size(), db::Membership::leave);
  if (!now) co_return out;
  out = co_await timelines_.membership_before(user, *now, events);
  for (std::size_t i = 0; i < events.size(); ++i)
    out[i] = membership_after(*events[i]->event, user, out[i]);
  co_return out;
}

struct RoomHistory::ServerMembers {
  ServerMembers(ServerName s, RoomInfoPtr r) : server(std::move(s)), room(std::move(r)) {}
  const ServerName server;
  const RoomInfoPtr room;
  std::optional<std::vector<StateKeyNid>> keys;        // of all who ever were, read when first needed
  std::map<std::pair<StateRef, bool>, bool> answered;  // by state and whether invited ones count
};

Task<std::vector<EventPtr>> RoomHistory::visible_to_server(ServerName server, RoomInfoPtr room, Events events) {
  std::erase_if(events, [](const StoredEventPtr& event) { return !event || !event->order; });
  const auto visibility = co_await timelines_.visibility_before(room->nid, events);
  auto load_stays = [nid = room->nid, server](db::Connection& connection) {
    return db::stays_of_server(connection, nid, server);
  };
  std::optional<std::vector<db::ServerStay>> stays;  // read when first needed
  ServerMembers members(std::move(server), room);
  std::vector<EventPtr> out;
  for (std::size_t i = 0; i < events.size(); ++i) {
    const StoredEvent& stored = *events[i];
    bool seen = open_to_servers(visibility[i]) || open_to_servers(visibility_after(*stored.event, visibility[i])) ||
                stored.event->sender().server() == members.server.str();
    if (!seen && !stays) stays = co_await database_.run(load_stays);
    if (!seen && stored.is_live()) {
      const auto covers = [&](const db::ServerStay& stay) {
        return stay.from < stored.position() && stored.position() <= stay.to;
      };
      seen = std::ranges::any_of(*stays, covers);
    }
    const bool invited_counts = visibility[i] == HistoryVisibility::invited;
    if (!seen) seen = co_await has_member(members, stored.state_after(), invited_counts);
    out.push_back(seen ? stored.event : redact(*stored.event));
  }
  co_return out;
}

Task<bool> RoomHistory::has_member(ServerMembers& members, StateRef at, bool invited_counts) {
  const std::pair place(at, invited_counts);
  if (const auto known = members.answered.find(place); known != members.answered.end()) co_return known->second;
  if (!members.keys) members.keys = co_await member_keys(members.server, members.room);
  auto keys = *members.keys;
  auto holders = co_await states_.lookup(members.room->nid, at, std::move(keys));
  std::erase(holders, EventNid{});
  bool found = false;
  for (std::size_t first = 0; first < holders.size() && !found; first += members_at_once) {
    const auto begin = holders.begin() + static_cast<std::ptrdiff_t>(first);
    const std::size_t count = std::min(members_at_once, holders.size() - first);
    std::vector<EventNid> some(begin, begin + static_cast<std::ptrdiff_t>(count));
    const Events events = co_await events_.by_nid(std::move(some));
    found = std::ranges::any_of(events, [invited_counts](const StoredEventPtr& member) {
      const auto membership = member ? member->event->membership() : std::nullopt;
      return membership == "join" || (invited_counts && membership == "invite");
    });
  }
  members.answered.emplace(place, found);
  co_return found;
}

// A key that was ever set on the main line is set in the current state too; what only a branch had that lost counts for
// nothing.
Task<std::vector<StateKeyNid>> RoomHistory::member_keys(ServerName server, RoomInfoPtr room) {
  const StateMapPtr state = co_await states_.at(room->nid, room->state);
  std::vector<StateKeyNid> keys;
  keys.reserve(state->size());
  for (const auto& [key, event] : *state)
    keys.push_back(key);
  const auto names = co_await interner_.state_key_names(keys);
  std::vector<StateKeyNid> of_server;
  for (std::size_t i = 0; i < keys.size(); ++i)
    if (names[i].type == "m.room.member" && server_of(names[i].state_key) == server.str()) of_server.push_back(keys[i]);
  co_return of_server;
}

}  // namespace causeway
