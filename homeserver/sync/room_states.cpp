#include "homeserver/sync/room_states.hpp"

#include <algorithm>
#include <span>

#include "homeserver/events/event_bytes.hpp"
#include "homeserver/events/event_store.hpp"
#include "homeserver/events/interner.hpp"
#include "homeserver/events/state_store.hpp"

namespace causeway {

namespace {

// Every version of the main line since then was made by a state event of the timeline, and the timeline has no other.
bool told_by_timeline(const RoomPart& part, std::int32_t from_version) {
  if (part.end.line != 0) return false;
  const bool beside = std::any_of(part.timeline.begin(), part.timeline.end(),
                                  [](const auto& event) { return event->after && event->after->line != 0; });
  if (beside) return false;
  const auto made_here = std::count_if(part.timeline.begin(), part.timeline.end(), [&](const auto& event) {
    return event->after && event->after->line == 0 && event->after->version > from_version &&
           event->after->version <= part.end.version;
  });
  return made_here == part.end.version - from_version;
}

}  // namespace

Task<> RoomStates::read_whole(std::vector<RoomPart>& rooms) {
  constexpr std::size_t rooms_at_once = 200;
  constexpr std::size_t entry_bytes = 96;  // in the map, and in what is chosen from it
  std::vector<RoomPart*> whole;
  for (RoomPart& part : rooms) {
    if (!part.whole_state || part.only_own_event) continue;
    part.whole_at = span_.state_after ? part.end : part.start();
    whole.push_back(&part);
  }
  for (std::size_t first = 0; first < whole.size(); first += rooms_at_once) {
    const auto some = std::span(whole).subspan(first, std::min(rooms_at_once, whole.size() - first));
    std::vector<std::pair<RoomNid, StateRef>> places;
    for (const RoomPart* part : some)
      places.emplace_back(part->info->nid, part->whole_at);
    const auto states = co_await s_.states.at(std::move(places));
    std::size_t entries = 0;
    for (std::size_t i = 0; i < some.size(); ++i) {
      some[i]->whole = states[i];
      entries += states[i]->size();
    }
    if (!co_await cost_.budget.take(entries * entry_bytes)) co_return;
    co_await cost_.slice.give_way();
  }
}

Task<> RoomStates::keep_what_replays(std::vector<RoomPart>& rooms) {
  if (span_.state_after) co_return;
  for (RoomPart& part : rooms) {
    const StateRef start = part.start();
    if (part.timeline.empty() || part.only_own_event || (start.line == 0 && told_by_timeline(part, start.version)))
      continue;
    std::map<StateKeyNid, std::size_t> last_change;
    for (std::size_t i = 0; i < part.timeline.size(); ++i)
      if (const auto& event = part.timeline[i]; event->key) last_change[*event->key] = i;
    std::vector<StateKeyNid> keys;
    for (const auto& [key, at] : last_change)
      keys.push_back(key);
    const auto holders = co_await s_.states.lookup(part.info->nid, part.end, keys);
    std::size_t misleading = 0;
    for (std::size_t i = 0; i < keys.size(); ++i)
      if (const std::size_t at = last_change.at(keys[i]); part.timeline[at]->nid != holders[i])
        misleading = std::max(misleading, at + 1);
    if (misleading == 0) continue;
    part.timeline.erase(part.timeline.begin(), part.timeline.begin() + static_cast<std::ptrdiff_t>(misleading));
    part.limited = true;
  }
}

Task<> RoomStates::choose(std::vector<RoomPart>& rooms) {
  for (RoomPart& part : rooms) {
    co_await choose_of(part);
    co_await cost_.slice.give_way();
  }
  co_await sift_whole(rooms);
}

Task<> RoomStates::choose_of(RoomPart& part) {
  if (!part.has_timeline() || !part.has_events || part.only_own_event) co_return;
  if (!span_.filter->room_state.rooms.accepts(part.info->id.str())) co_return;
  if (part.whole_state)
    co_await choose_whole(part);
  else
    co_await choose_changed(part);
}

Task<> RoomStates::choose_whole(RoomPart& part) {
  const StateRef start = part.start();
  const StateRef told = span_.state_after ? part.end : start;
  if (told != part.whole_at) part.whole = co_await s_.states.at(part.info->nid, told);
  part.state_nids.insert(part.whole->begin(), part.whole->end());
  if (span_.lazy_members() && part.members_known_at) {
    StateRef known;
    known.version = *part.members_known_at;
    const auto changed = co_await s_.states.difference(part.info->nid, known, told);
    for (const auto& [key, event] : changed)
      part.changed_keys.insert(key);
  }
  if (span_.state_after || (start.line == 0 && told_by_timeline(part, start.version))) co_return;
  co_await correct_towards_end(part);
}

Task<> RoomStates::choose_changed(RoomPart& part) {
  if (told_by_timeline(part, part.since_version)) {
    if (!span_.state_after) co_return;
    for (const auto& event : part.timeline)
      if (event->key && event->after) part.state_nids[*event->key] = event->nid;
    co_return;
  }
  StateRef since;
  since.version = part.since_version;
  if (span_.state_after) {
    const auto at_end = co_await s_.states.difference(part.info->nid, since, part.end);
    for (const auto& [key, event] : at_end)
      if (event != EventNid{}) part.state_nids[key] = event;
    co_return;
  }
  const auto at_start = co_await s_.states.difference(part.info->nid, since, part.start());
  for (const auto& [key, event] : at_start)
    if (event != EventNid{}) part.state_nids[key] = event;
  co_await correct_towards_end(part);
}

// The timeline may begin on a branch that lacks what the client knows already, and replaying it does not tell what
// resolving branches brought about.
Task<> RoomStates::correct_towards_end(RoomPart& part) {
  const auto later = co_await s_.states.difference(part.info->nid, part.start(), part.end);
  for (const auto& [key, event] : later)
    if (event != EventNid{} && !part.timeline_holds(event)) {
      part.state_nids[key] = event;
      part.changed_keys.insert(key);
    }
}

// Leaves out, before anything is loaded, what the filter does not want, and members that lazy loading may not need.
Task<> RoomStates::sift_whole(std::vector<RoomPart>& rooms) {
  const TypeRule& types = span_.filter->room_state.types;
  if (!span_.lazy_members() && types.accepts_everything()) co_return;
  std::vector<StateKeyNid> keys;
  for (const auto& part : rooms)
    if (part.whole_state)
      for (const auto& [key, event] : part.state_nids)
        keys.push_back(key);
  std::sort(keys.begin(), keys.end());
  keys.erase(std::unique(keys.begin(), keys.end()), keys.end());
  if (keys.empty()) co_return;
  const auto names = co_await s_.interner.state_key_names(keys);
  std::unordered_map<StateKeyNid, const StateKey*> name_of;
  for (std::size_t i = 0; i < keys.size(); ++i)
    name_of.emplace(keys[i], &names[i]);

  for (auto& part : rooms) {
    if (!part.whole_state) continue;
    co_await cost_.slice.give_way();
    std::erase_if(part.state_nids, [&](const auto& entry) {
      const StateKey& name = *name_of.at(entry.first);
      if (!types.accepts(name.type)) return true;
      // spec: client-server-api#get_matrixclientv3sync: a gap hides no change of a member.
      const bool told = part.members_known_at && part.changed_keys.contains(entry.first);
      if (!span_.lazy_members() || name.type != "m.room.member" || told) return false;
      part.held_back_members.emplace(name.state_key, entry.second);
      return true;
    });
  }
}

Task<> RoomStates::load(std::vector<RoomPart>& rooms) {
  constexpr std::size_t events_at_once = 1'024;
  std::vector<std::pair<RoomPart*, EventNid>> chosen;
  for (auto& part : rooms) {
    for (const auto& [key, event] : part.state_nids)
      chosen.emplace_back(&part, event);
    for (EventNid event : part.member_nids)
      chosen.emplace_back(&part, event);
    part.state_nids.clear();
    part.member_nids.clear();
  }
  for (std::size_t first = 0; first < chosen.size(); first += events_at_once) {
    const auto some = std::span(chosen).subspan(first, std::min(events_at_once, chosen.size() - first));
    std::vector<EventNid> nids;
    for (const auto& [part, event] : some)
      nids.push_back(event);
    const auto events = co_await s_.events.by_nid(std::move(nids));
    std::size_t bytes = 0;
    for (std::size_t i = 0; i < some.size(); ++i) {
      const StoredEventPtr& event = events[i];
      if (!event || !span_.filter->room_state.accepts(*event->event)) continue;
      bytes += event_bytes(*event) + event->event->json().size();
      some[i].first->state.push_back(event);
    }
    if (!co_await cost_.budget.take(bytes)) co_return;
    co_await cost_.slice.give_way();
  }
}

void RoomStates::append_last_own_event(RoomPart& part) const {
  const StoredEventPtr& own = part.last_own_event;
  if (!own) return;
  part.timeline.push_back(own);
  if (!span_.state_after) return;
  std::erase_if(part.state, [&](const auto& event) { return event->key == own->key; });
  part.state.push_back(own);
}

}  // namespace causeway
