// What replies to /sync are made of and from.
#pragma once

#include <cstddef>

#include "homeserver/runtime/time_slice.hpp"
#include "homeserver/sync/reply_budget.hpp"

namespace causeway::db {
class Database;
}

namespace causeway {

class AccountService;
class Clock;
class EventSerializer;
class EventStore;
class Interner;
class Metrics;
class NamedRooms;
class Notifier;
class ReceiptService;
class RoomReader;
class SentMembers;
class StateStore;
class StateVersions;
class StreamHub;
class TypingService;

struct SyncServices {
  db::Database& database;
  StreamHub& hub;
  RoomReader& reader;
  EventStore& events;
  StateStore& states;
  Interner& interner;
  EventSerializer& serializer;
  AccountService& accounts;
  ReceiptService& receipts;
  TypingService& typing;
  Notifier& notifier;
  const Clock& clock;
  Metrics& metrics;
  std::size_t max_reply_bytes = 256 << 20;  // that one reply may take in memory while it is built
};

// What all replies share.
struct SyncMemory {
  StateVersions& versions;
  SentMembers& sent_members;
  NamedRooms& named_rooms;
  const ReplySizes& sizes;
};

// What one reply takes of memory and of the reactor's time.
struct ReplyCost {
  explicit ReplyCost(const ReplySizes& sizes) : budget(sizes) {}
  ReplyBudget budget;
  TimeSlice slice;
};

}  // namespace causeway
