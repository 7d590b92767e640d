// Sends the events of local users: each request once, of what a client may write.
#pragma once

#include "homeserver/rooms/making/aliases.hpp"
#include "homeserver/rooms/members/memberships.hpp"

namespace causeway {

class EventSender {
 public:
  struct Services {
    RoomReader& reader;
    TransactionLog& transactions;
    LaneWriter& lane;
    Memberships& memberships;
    Aliases& aliases;
  };
  explicit EventSender(Services services) : services_(services) {}

  // A transaction identifier seen before joins or repeats that event. M_FORBIDDEN, M_BAD_JSON, M_BAD_ALIAS, ...
  Task<Result<EventId>> send(SendEvent request);

 private:
  Task<Result<EventId>> send_once(SendEvent request, std::optional<TransactionRecord> transaction);
  // What a client may write of the types that this server reads.
  Task<Result<>> check_content(const SendEvent& request);
  Task<Result<>> check_canonical_alias(RoomInfoPtr room, const SendEvent& request);

  Services services_;
};

}  // namespace causeway
