// Makes local events on a room's head, and moves the head on to events, local or not, with all that follows from them:
// state rows, memberships of local users, servers that come and go.
//
// Everything here runs in the room's lane.
#pragma once

#include <boost/json/object.hpp>
#include <memory>
#include <optional>
#include <string>

#include "homeserver/rooms/auth/auth_state.hpp"
#include "homeserver/rooms/head/event_template.hpp"
#include "homeserver/rooms/head/room_head.hpp"
#include "homeserver/runtime/clock.hpp"
#include "homeserver/runtime/local_server.hpp"

namespace causeway {

struct LocalDraft {
  UserId sender;
  UserNid sender_nid{};
  std::string type;
  std::optional<std::string> state_key;
  boost::json::object content;
  std::optional<EventId> redacts;
  std::optional<Timestamp> timestamp;
  // Of a join that a member of this server authorises. What `content` says of it counts for nothing.
  std::optional<UserId> join_authorised_via = {};
};

class RoomBuilder {
 public:
  RoomBuilder(RoomHeads& heads, Interner& interner, const Clock& clock, const LocalServer& self)
      : heads_(heads), interner_(interner), clock_(clock), self_(self) {}

  // The event that would come next: auth events chosen, authorised, hashed and signed, but not appended.
  // M_FORBIDDEN with the rule's reason; M_BAD_JSON where nobody could send such content; M_TOO_LARGE.
  Task<Result<NewEventPtr>> build(RoomHead& head, LocalDraft draft);
  // The same for a room's first event, which needs no head.
  Task<Result<NewEventPtr>> build_create(const RoomVersion& version, std::optional<RoomId> room, LocalDraft draft);

  // What a peer's user may sign: the same, checked but neither hashed nor signed.
  Task<Result<EventTemplate>> build_template(RoomHead& head, LocalDraft draft);

  // Appends an event whose prev_events are all the head's extremities and whose state before is the current one.
  Task<> append(RoomHead& head, WriteUnit& unit, NewEventPtr event);
  Task<Result<NewEventPtr>> build_and_append(RoomHead& head, WriteUnit& unit, LocalDraft draft);

  // A key of the current state changes hands with the unit's event number `event_index`. nullptr: nobody held it, or
  // nobody holds it now.
  struct Change {
    StateKeyNid key{};
    StoredEventPtr before, after;
  };
  Task<> change_current_state(RoomHead& head, WriteUnit& unit, Change change, std::size_t event_index);

 private:
  struct Drafted {
    EventDraft draft;
    AuthEvents state;                  // by which it is judged
    std::vector<StoredEventPtr> auth;  // its auth_events
    std::optional<StateKeyNid> key;
  };
  EventDraft draft_on(const RoomHead& head, LocalDraft draft) const;
  Task<Drafted> choose_auth_events(RoomHead& head, EventDraft draft);
  Result<EventPtr> authorise(const Drafted& drafted) const;
  Task<> change_member(RoomHead& head, WriteUnit& unit, UserId user, StoredEventPtr before, StoredEventPtr after,
                       std::size_t event_index);
  Task<> count_joined(RoomHead& head, WriteUnit& unit, ServerName server, bool joined, std::size_t event_index);

  RoomHeads& heads_;
  Interner& interner_;
  const Clock& clock_;
  const LocalServer& self_;
};

// An event that does nothing but merge branches; other servers make them too. No client is shown one.
// NOTSPEC: the specification has no such event, but servers have agreed on this type.
inline constexpr std::string_view merge_event_type = "org.matrix.dummy_event";
inline bool is_merge_event(const Event& event) {
  return event.is(merge_event_type) && !event.is_state();
}

// M_FORBIDDEN with the reason of a refusal.
MatrixError forbidden(const Refusal& refusal);

}  // namespace causeway
