// Events from other servers: whether their room takes any from that server now, and what follows when it has.
#pragma once

#include <vector>

#include "homeserver/rooms/receiving/extremity_merger.hpp"

namespace causeway {

class Receiver {
 public:
  Receiver(RoomReader& reader, RoomHeads& heads, InboundEvents& inbound, ExtremityMerger& merger)
      : reader_(reader), heads_(heads), inbound_(inbound), merger_(merger) {}

  // Of one room, in their order. Waits for a join that is under way.
  Task<std::vector<ReceiveOutcome>> receive(ServerName origin, RoomId room, std::vector<Inbound> events);
  Task<ReceiveOutcome> receive(ServerName origin, Inbound event);
  // Ends when this server is not in the midst of joining the room. False: it was not.
  Task<bool> wait_for_join(RoomId room);

 private:
  RoomReader& reader_;
  RoomHeads& heads_;
  InboundEvents& inbound_;
  ExtremityMerger& merger_;
};

}  // namespace causeway
