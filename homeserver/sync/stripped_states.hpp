// Rooms the user is invited to or has knocked on: as much of their state as lets the user recognise them.
//
// spec: client-server-api#stripped-state
#pragma once

#include "homeserver/sync/room_part.hpp"
#include "homeserver/sync/sync_services.hpp"
#include "homeserver/sync/sync_span.hpp"

namespace causeway {

class StrippedStates {
 public:
  StrippedStates(const SyncServices& services, const SyncSpan& span, ReplyBudget& budget)
      : s_(services), span_(span), budget_(budget) {}

  // Leaves it empty where the invite is not told.
  Task<> read(RoomPart& part);

 private:
  const SyncServices& s_;
  const SyncSpan& span_;
  ReplyBudget& budget_;
};

}  // namespace causeway
