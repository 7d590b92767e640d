// The state of a room in a /sync reply.
//
// `state` is what changed between `since` and the start of the timeline, and whatever the timeline's own state events
// do not bring about: with a fork resolved, or events filtered out, the state at the end is not what replaying the
// timeline gives. `state_after` is what changed until the end of the timeline.
#include "homeserver/events/event_bytes.hpp"
#include "homeserver/sync/sync_builder.hpp"

namespace causeway {

Task<> SyncBuilder::choose_state(RoomPart& part) {
  const bool has_state = part.section == RoomPart::Section::join || part.section == RoomPart::Section::leave;
  if (!has_state || !part.has_events || part.only_own_event) co_return;
  if (!filter_->room_state.rooms.accepts(part.info->id.str())) co_return;
  if (part.whole_state)
    co_await choose_whole_state(part);
  else
    co_await choose_changed_state(part);
}

// Many rooms in one round trip, before it is known which events are visible: that depends on the state.
Task<> SyncBuilder::read_whole_states() {
  constexpr std::size_t rooms_at_once = 200;
  constexpr std::size_t entry_bytes = 96;  // in the map, and in what is chosen from it
  std::vector<RoomPart*> whole;
  for (RoomPart& part : parts_) {
    if (!part.whole_state || part.only_own_event) continue;
    part.whole_at = wants_state_after() ? part.end : part.start();
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
    if (!co_await budget_.take(entries * entry_bytes)) co_return;
    co_await slice_.give_way();
  }
}

Task<> SyncBuilder::choose_whole_state(RoomPart& part) {
  const StateRef start = part.start();
  const StateRef told = wants_state_after() ? part.end : start;
  if (told != part.whole_at) part.whole = co_await s_.states.at(part.info->nid, told);
  part.state_nids.insert(part.whole->begin(), part.whole->end());
  if (lazy() && part.members_known_at) {
    StateRef known;
    known.version = *part.members_known_at;
    const auto changed = co_await s_.states.difference(part.info->nid, known, told);
    for (const auto& [key, event] : changed)
      part.changed_keys.insert(key);
  }
  if (wants_state_after() || (start.line == 0 && told_by_timeline(part, start.version))) co_return;
  co_await correct_towards_end(part);
}

Task<> SyncBuilder::choose_changed_state(RoomPart& part) {
  if (told_by_timeline(part, part.since_version)) {
    if (!wants_state_after()) co_return;
    for (const auto& event : part.timeline)
      if (event->key && event->after) part.state_nids[*event->key] = event->nid;
    co_return;
  }
  StateRef since;
  since.version = part.since_version;
  if (wants_state_after()) {
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
Task<> SyncBuilder::correct_towards_end(RoomPart& part) {
  const auto later = co_await s_.states.difference(part.info->nid, part.start(), part.end);
  for (const auto& [key, event] : later)
    if (event != EventNid{} && !part.timeline_holds(event)) {
      part.state_nids[key] = event;
      part.changed_keys.insert(key);
    }
}

// Every version of the main line since then was made by a state event of the timeline, and the timeline has no other.
bool SyncBuilder::told_by_timeline(const RoomPart& part, std::int32_t from_version) const {
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

// Leaves out, before anything is loaded, what the filter does not want, and members that lazy loading may not need.
Task<> SyncBuilder::sift_whole_state() {
  const TypeRule& types = filter_->room_state.types;
  if (!lazy() && types.accepts_everything()) co_return;
  std::vector<StateKeyNid> keys;
  for (const auto& part : parts_)
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

  for (auto& part : parts_) {
    if (!part.whole_state) continue;
    co_await slice_.give_way();
    std::erase_if(part.state_nids, [&](const auto& entry) {
      const StateKey& name = *name_of.at(entry.first);
      if (!types.accepts(name.type)) return true;
      // spec: client-server-api#get_matrixclientv3sync: a gap hides no change of a member.
      const bool told = part.members_known_at && part.changed_keys.contains(entry.first);
      if (!lazy() || name.type != "m.room.member" || told) return false;
      part.held_back_members.emplace(name.state_key, entry.second);
      return true;
    });
  }
}

// `state` and then the timeline, replayed, must end with the state at the end. Where they don't (an event between was
// hidden or filtered out, or a fork was resolved against an event that is shown), the timeline begins behind the event
// that would mislead.
Task<> SyncBuilder::keep_what_replays() {
  if (wants_state_after()) co_return;
  for (RoomPart& part : parts_) {
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

// Moves what was chosen by number into `state`, many rooms in one round trip.
Task<> SyncBuilder::load_state() {
  constexpr std::size_t events_at_once = 1'024;
  std::vector<std::pair<RoomPart*, EventNid>> chosen;
  for (auto& part : parts_) {
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
      if (!event || !filter_->room_state.accepts(*event->event)) continue;
      bytes += event_bytes(*event) + event->event->json().size();
      some[i].first->state.push_back(event);
    }
    if (!co_await budget_.take(bytes)) co_return;
    co_await slice_.give_way();
  }
}

void SyncBuilder::append_last_own_event(RoomPart& part) const {
  const StoredEventPtr& own = part.last_own_event;
  if (!own) return;
  part.timeline.push_back(own);
  if (!wants_state_after()) return;
  std::erase_if(part.state, [&](const auto& event) { return event->key == own->key; });
  part.state.push_back(own);
}

}  // namespace causeway
