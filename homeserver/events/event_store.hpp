// Committed events by number, identifier or order, cached and bounded. Reads only; EventWriter writes.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "homeserver/events/recent_events.hpp"
#include "schema/async/task.hpp"
#include "schema/db/database.hpp"

namespace causeway {

enum class Direction { forward, backward };

class EventStore {
 public:
  struct Limits {
    std::size_t cache_bytes = 48u << 20;
    std::size_t chain_events = 100'000;  // of an auth chain
  };
  // `recent` must be fed before this is.
  EventStore(db::Database& database, const RecentEvents& recent);
  EventStore(db::Database& database, const RecentEvents& recent, Limits limits);
  ~EventStore();

  // In the order asked; nullptr for what is not there. One round trip for all that are not cached.
  Task<std::vector<StoredEventPtr>> by_nid(std::vector<EventNid> nids);
  Task<std::vector<StoredEventPtr>> by_id(std::vector<EventId> ids);
  Task<StoredEventPtr> by_id(EventId id);

  // Timeline events of a room (no outliers), those that may not be shown left out. From the ring where it reaches.
  //   range: live events with since < position <= until, the newest `limit` of them, ascending.
  struct Range {
    std::vector<StoredEventPtr> events;
    bool more_before = false;  // older ones in the span were left out
  };
  Task<Range> live_range(RoomNid room, StreamPosition since, StreamPosition until, std::size_t limit);
  //   ranges: the same of many rooms, each named once; one round trip for all that the ring cannot answer.
  struct Span {
    RoomNid room{};
    StreamPosition since = 0, until = 0;
  };
  Task<std::vector<Range>> live_ranges(std::vector<Span> spans, std::size_t limit);
  //   page: from a key, exclusive, in a direction; the nearest first.
  Task<std::vector<StoredEventPtr>> page(RoomNid room, OrderKey from, Direction direction, std::size_t limit);

  // The newest live event of the room at or before the position, rejected and soft-failed ones included (they carry
  // state references too). nullptr if there is none.
  Task<StoredEventPtr> last_at(RoomNid room, StreamPosition position);

  // The auth chain of these events, themselves included, each once, in no order: for state resolution and for peers.
  // From the cache if all of it is there, else in one round trip. M_RESOURCE_LIMIT_EXCEEDED beyond the limit.
  Task<Result<std::vector<StoredEventPtr>>> auth_chain(std::vector<EventNid> of);

  // Missing events that later ones name: where backfill goes on. The newest first.
  struct Gap {
    EventId missing;
    StoredEventPtr later;
  };
  Task<std::vector<Gap>> gaps(RoomNid room, std::size_t limit);

  // The redaction that was applied to each, nullptr for none: for unsigned.redacted_because. In the order asked; from
  // memory for those committed lately, else at most two round trips for all.
  Task<std::vector<StoredEventPtr>> redactions_of(std::vector<EventId> targets);
  Task<StoredEventPtr> redaction_of(EventId target);

  // What was just committed: an event, or a new form of one; and a redaction that was applied.
  void keep(const StoredEventPtr& event);
  void note_redaction(const EventId& target, EventNid redaction);
  // They were deleted from the database.
  void forget(const std::vector<EventNid>& nids);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace causeway
