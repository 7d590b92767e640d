#include "homeserver/rooms/reader/state_timelines.hpp"

#include <algorithm>
#include <limits>
#include <map>

#include "homeserver/rooms/members/membership.hpp"
#include "schema/db/tables/room_timelines.hpp"
#include "schema/json/json.hpp"
#include "schema/matrix/assert.hpp"

namespace causeway {

namespace {

constexpr std::size_t max_visibility_bytes = 8 << 20;  // over all rooms
constexpr std::int32_t last_version = std::numeric_limits<std::int32_t>::max();

bool on_main_line(const StoredEvent& event) {
  return event.before.line == 0;
}

db::Membership membership_in(const Event& event) {
  return membership_of(event);
}

HistoryVisibility visibility_of(const Event& event) {
  return parse_history_visibility(event.content());
}

}  // namespace

HistoryVisibility parse_history_visibility(const boost::json::object& content) {
  const auto text = json::find_string(content, "history_visibility");
  if (text == "world_readable") return HistoryVisibility::world_readable;
  if (text == "invited") return HistoryVisibility::invited;
  if (text == "joined") return HistoryVisibility::joined;
  return HistoryVisibility::shared;
}

StateTimelines::StateTimelines(db::Database& database, Interner& interner, EventStore& events, StateStore& states)
    : database_(database),
      interner_(interner),
      events_(events),
      states_(states),
      visibility_(
          max_visibility_bytes, [this](RoomNid room) { return load_visibility(room); },
          [](RoomNid, const auto& timeline) { return timeline.size() * sizeof(timeline.front()); }) {}

void StateTimelines::committed(const Committed& facts) {
  if (facts.new_room) visibility_.drop(facts.room);
  for (const CommittedState& change : facts.state)
    if (change.line == 0 && change.key == visibility_key_) visibility_.drop(facts.room);
}

template <class Value>
Value StateTimelines::value_at(const Timeline<Value>& timeline, std::int32_t version, Value otherwise) {
  const auto after = std::ranges::upper_bound(timeline, version, {}, &Span<Value>::from);
  if (after == timeline.begin()) return otherwise;
  const Span<Value>& span = *std::prev(after);
  return version < span.to ? span.value : otherwise;
}

template <class Value, class Read>
Task<StateTimelines::Timeline<Value>> StateTimelines::load(RoomNid room, StateKeyNid key, std::int32_t first,
                                                           std::int32_t last, Value absent, Read read) {
  auto query = [room, key, first, last](db::Connection& connection) {
    return db::main_line_spans(connection, room, std::span(&key, 1), first, last);
  };
  auto rows = co_await database_.run(std::move(query));
  std::ranges::reverse(rows);
  std::vector<EventNid> nids;
  nids.reserve(rows.size());
  for (const db::StateSpan& row : rows)
    if (row.event != EventNid{}) nids.push_back(row.event);
  const Events holders = co_await events_.by_nid(std::move(nids));
  Timeline<Value> timeline;
  timeline.reserve(rows.size());
  auto holder = holders.begin();
  for (const db::StateSpan& row : rows) {
    const StoredEventPtr event = row.event != EventNid{} ? *holder++ : nullptr;
    timeline.push_back({row.from_version, row.to_version, row.event, event ? read(*event->event) : absent});
  }
  co_return timeline;
}

Task<StateKeyNid> StateTimelines::visibility_key() {
  if (visibility_key_ == StateKeyNid{}) {
    StateKey key{"m.room.history_visibility", ""};
    visibility_key_ = co_await interner_.state_key(std::move(key));
  }
  co_return visibility_key_;
}

Task<std::shared_ptr<StateTimelines::Timeline<HistoryVisibility>>> StateTimelines::load_visibility(RoomNid room) {
  const StateKeyNid key = co_await visibility_key();
  auto timeline = co_await load(room, key, 0, last_version, HistoryVisibility::shared, visibility_of);
  // A room that changed it more often than is read: what lies before is nobody's who was not in it.
  if (timeline.size() == db::max_state_spans)
    timeline.insert(timeline.begin(), {0, timeline.front().from, EventNid{}, HistoryVisibility::joined});
  co_return std::make_shared<Timeline<HistoryVisibility>>(std::move(timeline));
}

Task<std::vector<HistoryVisibility>> StateTimelines::visibility_before(RoomNid room, Events events) {
  const auto timeline = co_await visibility_.get(room);
  std::vector<HistoryVisibility> out;
  out.reserve(events.size());
  Events elsewhere;
  for (const StoredEventPtr& event : events) {
    out.push_back(value_at(*timeline, event->before.version, HistoryVisibility::shared));
    if (!on_main_line(*event)) elsewhere.push_back(event);
  }
  if (elsewhere.empty()) co_return out;
  const StateKeyNid key = co_await visibility_key();
  const Events holders = co_await holders_before(room, std::move(elsewhere), key);
  auto holder = holders.begin();
  for (std::size_t i = 0; i < events.size(); ++i) {
    if (on_main_line(*events[i])) continue;
    out[i] = *holder ? visibility_of(*(*holder)->event) : HistoryVisibility::shared;
    ++holder;
  }
  co_return out;
}

Task<std::vector<db::Membership>> StateTimelines::membership_before(UserId user, RoomMembership now, Events events) {
  std::vector<db::Membership> out(events.size(), now.membership);
  std::vector<std::size_t> earlier, elsewhere;
  std::int32_t first = last_version, last = 0;
  for (std::size_t i = 0; i < events.size(); ++i) {
    const StoredEvent& event = *events[i];
    if (!on_main_line(event)) {
      elsewhere.push_back(i);
    } else if (event.position() <= now.position) {
      earlier.push_back(i);
      first = std::min(first, event.before.version);
      last = std::max(last, event.before.version);
    }
  }
  if (earlier.empty() && elsewhere.empty()) co_return out;
  StateKey name{"m.room.member", user.str()};
  const StateKeyNid key = co_await interner_.state_key(std::move(name));
  if (!earlier.empty()) {
    const auto timeline = co_await load(now.room, key, first, last, db::Membership::leave, membership_in);
    for (std::size_t i : earlier)
      out[i] = value_at(timeline, events[i]->before.version, db::Membership::leave);
  }
  if (!elsewhere.empty()) {
    Events asked;
    for (std::size_t i : elsewhere)
      asked.push_back(events[i]);
    const Events holders = co_await holders_before(now.room, std::move(asked), key);
    for (std::size_t n = 0; n < elsewhere.size(); ++n)
      out[elsewhere[n]] = membership_of(holders[n]);
  }
  co_return out;
}

Task<StoredEventPtr> StateTimelines::end_of_stay(UserId user, RoomMembership now) {
  StateKey name{"m.room.member", user.str()};
  const StateKeyNid key = co_await interner_.state_key(std::move(name));
  const auto timeline = co_await load(now.room, key, 0, last_version, db::Membership::leave, membership_in);
  const auto last_join = std::find_if(timeline.rbegin(), timeline.rend(),
                                      [](const auto& span) { return span.value == db::Membership::join; });
  if (last_join == timeline.rend()) co_return nullptr;
  const bool is_newest = last_join == timeline.rbegin();
  std::vector<EventNid> ending(1, is_newest ? now.event : std::prev(last_join)->event);
  const Events found = co_await events_.by_nid(std::move(ending));
  co_return found.front();
}

Task<HistoryVisibility> StateTimelines::visibility_at(RoomNid room, StateRef at) {
  CAUSEWAY_ASSERT(at.line == 0);
  const auto timeline = co_await visibility_.get(room);
  co_return value_at(*timeline, at.version, HistoryVisibility::shared);
}

Task<StateTimelines::Events> StateTimelines::holders_before(RoomNid room, Events events, StateKeyNid key) {
  std::map<StateRef, EventNid> holder_at;
  for (const StoredEventPtr& event : events)
    holder_at.try_emplace(event->before);
  for (auto& [ref, holder] : holder_at) {
    std::vector<StateKeyNid> keys(1, key);
    const auto found = co_await states_.lookup(room, ref, std::move(keys));
    holder = found.front();
  }
  std::vector<EventNid> nids;
  for (const StoredEventPtr& event : events)
    if (const EventNid nid = holder_at.at(event->before); nid != EventNid{}) nids.push_back(nid);
  const Events found = co_await events_.by_nid(std::move(nids));
  Events out;
  auto next = found.begin();
  for (const StoredEventPtr& event : events)
    out.push_back(holder_at.at(event->before) != EventNid{} ? *next++ : nullptr);
  co_return out;
}

}  // namespace causeway
