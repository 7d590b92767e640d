// Member events of a room's states, whole.
#pragma once

#include <optional>
#include <vector>

#include "homeserver/rooms/reader/timeline_reader.hpp"

namespace causeway {

// Which memberships are asked for; both together are an "or".
struct MembershipFilter {
  std::optional<db::Membership> is, is_not;
  bool accepts(db::Membership membership) const {
    if (!is && !is_not) return true;
    return (is && membership == *is) || (is_not && membership != *is_not);
  }
};

class MemberReader {
 public:
  MemberReader(RoomReader& rooms, EventStore& events, StateStore& states, Interner& interner)
      : rooms_(rooms), events_(events), states_(states), interner_(interner) {}

  // In no order. From the list that is kept of the present where that is asked for and theirs to read.
  Task<std::vector<StoredEventPtr>> of(ReadableRoom room, StateRef at, MembershipFilter filter) const;

  // Of those who sent these events: what lazy loading adds to them. Each once.
  // spec: client-server-api#lazy-loading-room-members
  Task<std::vector<StoredEventPtr>> senders(RoomNid room, StateRef at, std::vector<StoredEventPtr> events) const;

  // The whole state, but of its members only those.
  Task<std::vector<StoredEventPtr>> state_with_senders(RoomNid room, StateRef at,
                                                       std::vector<StoredEventPtr> events) const;

 private:
  Task<std::vector<StoredEventPtr>> now(RoomNid room, MembershipFilter filter) const;
  Task<std::vector<StoredEventPtr>> at(RoomNid room, StateRef at, MembershipFilter filter) const;

  RoomReader& rooms_;
  EventStore& events_;
  StateStore& states_;
  Interner& interner_;
};

}  // namespace causeway
