// What other servers end of their invites to local users, in rooms that this server is not in.
#pragma once

#include "homeserver/rooms/members/foreign_memberships.hpp"
#include "homeserver/rooms/receiving/receiver.hpp"

namespace causeway {

class InviteWithdrawals {
 public:
  struct Services {
    Interner& interner;
    EventStore& events;
    RoomReader& reader;
    RoomHeads& heads;
    ForeignMemberships& foreign;
    Receiver& receiver;
    const LocalServer& self;
  };
  explicit InviteWithdrawals(Services services) : services_(services) {}

  // Taken from the server that invited alone, for the very invite that the event cites. In a room that this server is
  // in by now, received like any other event.
  Task<ReceiveOutcome> receive(ServerName origin, VerifiedEvent withdrawal);

 private:
  Task<ReceiveOutcome> withdraw(RoomLock& lock, ServerName origin, VerifiedEvent withdrawal);
  Task<StoredEventPtr> cited_invite(RoomLock& lock, EventPtr event);

  Services services_;
};

}  // namespace causeway
