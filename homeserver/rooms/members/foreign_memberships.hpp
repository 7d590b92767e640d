// Memberships of local users in rooms that this server is not in: nothing of them can be judged here. In the room's
// lane.
#pragma once

#include <optional>

#include "homeserver/rooms/head/room_head.hpp"
#include "homeserver/rooms/requests.hpp"
#include "homeserver/runtime/clock.hpp"
#include "homeserver/runtime/local_server.hpp"

namespace causeway {

class ForeignMemberships {
 public:
  struct Services {
    Interner& interner;
    EventStore& events;
    EventWriter& writer;
    RoomReader& reader;
    RoomHeads& heads;
    const Clock& clock;
    const LocalServer& self;
  };
  explicit ForeignMemberships(Services services) : services_(services) {}

  // Adds an event of which nothing could be checked but its signatures. Whether it was here already or not, its number
  // is returned. M_FORBIDDEN: another event has its ID.
  Task<Result<EventNid>> add_event(WriteUnit& unit, EventPtr event, db::EventFlags flags = db::EventFlags::none);

  // `end` becomes the user's membership. What came while other servers were asked, such as another invite, is not what
  // was left, and stays.
  Task<Result<>> end(RoomLock& lock, UserNid user, RoomMembership ended, EventPtr end,
                     db::EventFlags flags = db::EventFlags::none);

  // A leave that no other server will hear of: it cites what it ends and nothing else.
  Task<Result<EventPtr>> own_leave(ChangeMembership request, RoomMembership ended);

  // Takes the lane. An invite that the room's state knows nothing of, although this server is in the room: one that
  // somebody made up, or that lost against another event. It can't be declined there. True: it was one, and has ended.
  Task<Result<bool>> end_unknown_invite(ChangeMembership request, RoomInfoPtr room);

 private:
  Services services_;
};

}  // namespace causeway
