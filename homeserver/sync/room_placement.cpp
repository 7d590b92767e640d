#include "homeserver/sync/room_placement.hpp"

#include <algorithm>

#include "homeserver/events/event_store.hpp"
#include "homeserver/rooms/reader/room_reader.hpp"
#include "homeserver/sync/state_versions.hpp"
#include "schema/db/tables/room_timelines.hpp"

namespace causeway {

Task<> RoomPlacement::place(RoomPart& part) {
  if (part.list == RoomPart::List::join) co_await place_join(part);
  if (part.list == RoomPart::List::leave) co_await place_leave(part);
}

Task<> RoomPlacement::place_join(RoomPart& part) {
  part.until = span_.until.position;
  const auto now = versions_.at(part.info->nid, part.until);
  part.end.version = now.version.value_or(part.info->state.version);
  part.fresh = span_.initial();
  if (!span_.initial() && part.has_events) {
    part.since_version = co_await version_at(part.info, span_.since_position());
    if (part.membership.position > span_.since_position()) {
      const bool joined = co_await was_joined(part);
      part.rejoined = joined && left_meanwhile(part);
      part.fresh = !joined || part.rejoined;
      co_await find_known_members(part, joined);
    } else {
      part.members_known_at = part.since_version;
    }
  }
  part.since = part.fresh ? 0 : span_.since_position();
  part.whole_state = part.fresh || span_.full_state || span_.since_was_lost;
}

// spec: client-server-api#room-history-visibility: what came after the user left is not theirs to see, but for what
// became of them.
Task<> RoomPlacement::place_leave(RoomPart& part) {
  std::vector<EventNid> nids(1, part.membership.event);
  const auto own = (co_await s_.events.by_nid(std::move(nids))).front();
  StoredEventPtr end;  // of the user's last stay in the room
  if (!part.membership.forgotten) end = co_await s_.reader.end_of_stay(span_.user->id, part.membership);
  const bool is_new = part.membership.position > span_.since_position();
  part.until = part.membership.position;
  if (own) part.end = own->state_after();
  if (own != end) part.last_own_event = own;
  part.only_own_event =
      !end || !end->is_live() || (!span_.initial() && is_new && end->position() <= span_.since_position());
  if (part.only_own_event) co_return;

  part.until = end->position();
  part.end = end->state_after();
  part.fresh = span_.initial();
  if (!span_.initial()) {
    part.since_version = co_await version_at(part.info, span_.since_position());
    const bool joined = co_await was_joined(part);
    part.fresh = !joined && part.until > span_.since_position();
    co_await find_known_members(part, joined);
  }
  part.since = part.fresh ? 0 : span_.since_position();
  part.whole_state = part.fresh || span_.full_state;
}

bool RoomPlacement::forgot_what_was_told(const RoomPart& part) const {
  const auto& own = part.last_own_event;
  return part.membership.forgotten && own && own->is_live() && own->position() <= span_.since_position();
}

// The version of the main line at a position. Before the memory of this process it may be an earlier one: then a little
// of what the client knows is told again.
Task<std::int32_t> RoomPlacement::version_at(RoomInfoPtr room, StreamPosition position) {
  const auto remembered = versions_.at(room->nid, position);
  if (remembered.known) co_return remembered.version.value_or(room->state.version);
  constexpr std::size_t look_back = 50;
  const StoredEventPtr last = co_await s_.events.last_at(room->nid, position);
  if (!last) co_return 0;
  if (last->state_after().line == 0) co_return last->state_after().version;
  const auto earlier = co_await s_.events.page(room->nid, *last->order, Direction::backward, look_back);
  for (const auto& event : earlier)
    if (event->state_after().line == 0) co_return event->state_after().version;
  co_return 0;
}

// At `since`.
Task<bool> RoomPlacement::was_joined(const RoomPart& part) {
  StateRef then;
  if (part.since_version == then.version) co_return false;
  then.version = part.since_version;
  const auto membership = co_await s_.reader.membership_at(part.info->nid, then, span_.user->id);
  co_return membership == db::Membership::join;
}

// A client keeps what it knows of a room while its user is out of it, and so what it believes of members then.
Task<> RoomPlacement::find_known_members(RoomPart& part, bool joined) {
  if (!span_.lazy_members()) co_return;
  if (joined) {
    part.members_known_at = part.since_version;
    co_return;
  }
  constexpr std::size_t at_once = 20;
  StateKey name("m.room.member", span_.user->id.str());
  const StateKeyNid key = co_await s_.interner.state_key(std::move(name));
  auto read = [room = part.info->nid, key, last = part.since_version](db::Connection& c) {
    return db::main_line_spans(c, room, std::span(&key, 1), 0, last);
  };
  const auto spans = co_await s_.database.run(std::move(read));
  for (std::size_t first = 0; first < spans.size(); first += at_once) {
    std::vector<EventNid> nids;
    for (std::size_t i = first; i < std::min(first + at_once, spans.size()); ++i)
      nids.push_back(spans[i].event);
    const auto events = co_await s_.events.by_nid(std::move(nids));
    for (std::size_t i = 0; i < events.size(); ++i) {
      if (!events[i] || events[i]->event->membership() != "join") continue;
      part.members_known_at = std::min(spans[first + i].to_version, part.since_version);
      co_return;
    }
  }
}

bool RoomPlacement::left_meanwhile(const RoomPart& part) const {
  if (!span_.in_memory) return false;
  const auto events = s_.hub.recent().in_room(part.info->nid, span_.since_position(), part.until);
  return std::any_of(events.begin(), events.end(), [&](const auto& event) {
    return event->event->is_state("m.room.member", span_.user->id.str()) && event->event->membership() != "join";
  });
}

}  // namespace causeway
