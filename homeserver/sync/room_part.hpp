// One room on its way into a /sync reply: its timeline and state.
#pragma once

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "homeserver/rooms/reader/room_reader.hpp"

namespace causeway {

struct RoomPart {
  enum class List { join, invite, knock, leave };
  List list = List::join;  // of the reply
  RoomMembership membership;
  RoomInfoPtr info;

  bool has_events = false;   // there may be timeline or state to tell
  bool fresh = false;        // the client has nothing of the room: it gets all of the state
  bool rejoined = false;     // fresh since the user left and came back, of which the client knows nothing
  bool whole_state = false;  // fresh, or asked for with full_state
  // Sees `last_own_event` and nothing else: was never in the room, forgot it, or was told before of having left.
  bool only_own_event = false;
  // What ended an invite, turned a leave into a ban, or ended the stay in a room that is forgotten since. The user may
  // see it, but nothing between the timeline and it.
  StoredEventPtr last_own_event;
  StreamPosition since = 0;  // what the client has of the timeline
  StreamPosition until = 0;
  std::int32_t since_version = 0;  // the main line's version then
  // The main line's version up to which a client that loads members lazily was told what they became: `since`, or the
  // end of the user's last stay.
  std::optional<std::int32_t> members_known_at;
  StateRef end;  // the state at the end of the timeline

  std::vector<StoredEventPtr> timeline;
  bool limited = false;

  StateRef whole_at;  // what `whole` is the state of
  StateMapPtr whole;  // of rooms whose whole state is told

  // The state to tell before it is loaded: by key, and members that lazy loading adds. Those it holds back stand apart.
  std::map<StateKeyNid, EventNid> state_nids;
  std::vector<EventNid> member_nids;
  std::map<std::string, EventNid> held_back_members;  // by user
  std::set<StateKeyNid> changed_keys;  // of the whole state, those that changed since the client was told of it
  std::vector<StoredEventPtr> state;

  std::string stripped_state;  // JSON array

  // Invites and knocks have none.
  bool has_timeline() const { return list == List::join || list == List::leave; }
  // The state before the timeline.
  StateRef start() const { return timeline.empty() ? end : timeline.front()->before; }
  // Before the first event that is shown, or where there is none behind what was looked at.
  OrderKey prev_batch() const {
    constexpr std::int32_t behind_live = 1;
    const bool shows = !timeline.empty() && (only_own_event || timeline.front() != last_own_event);
    return shows && timeline.front()->order ? *timeline.front()->order : OrderKey{until, behind_live};
  }
  bool timeline_holds(EventNid nid) const {
    return std::any_of(timeline.begin(), timeline.end(), [nid](const auto& event) { return event->nid == nid; });
  }
};

inline bool is_member(const StoredEventPtr& event) {
  return event->key && event->event->is("m.room.member");
}

}  // namespace causeway
