// What the one writer is asked to write: everything durable that a client can observe. A unit is committed whole or not
// at all; then it is facts (committed.hpp).
#pragma once

#include <array>
#include <optional>
#include <string>
#include <vector>

#include "homeserver/events/stored_event.hpp"
#include "homeserver/stream/change.hpp"
#include "schema/db/tables/enums.hpp"
#include "schema/events/event.hpp"

namespace causeway {

// Where a new event goes.
enum class Placement {
  live,        // gets the next position of the stream
  outlier,     // gets no place: known, but not part of the room's timeline
  backfilled,  // `order` says where
};

struct NewEvent {
  std::shared_ptr<StoredEvent> stored;  // order is filled in by the writer for live events
  Placement placement = Placement::live;
};

struct NewRoom {
  RoomId room_id;
  std::string version;
  Timestamp created_ts = 0;
};

// One change on a line: from this version on the key is held by this event (0: by none). Closes the row that was open.
struct StateChange {
  std::int32_t line = 0;
  std::int32_t from_version = 0;
  StateKeyNid key{};
  EventNid event{};
};

struct NewLine {
  std::int32_t line = 0;
  std::optional<StateRef> parent;
};

struct HeadUpdate {
  std::vector<EventNid> extremities;
  std::int32_t state_version = 0;
  std::int32_t next_line = 1;
  bool resident = true;
};

// Of a local user. `event` names an event of the same unit, or one stored before.
struct MembershipChange {
  UserNid user{};
  RoomNid room{};
  db::Membership membership{};
  EventNid event{};
  std::optional<std::string> stripped_state;  // JSON array: invites and knocks of rooms we are not in
  bool forgotten = false;
  StreamPosition position = 0;  // once committed: that of the event, or one of its own
};

// A server that came into the room or left it with the event at `event_index` of this unit.
struct RoomServerChange {
  ServerNid server{};
  std::size_t event_index = 0;
  bool joined = true;
};

struct RedactionRecord {
  EventId target;
  EventNid redaction{};
  bool applied = false;
};

struct ReplacedEvent {
  StoredEventPtr stored;  // same nid and order; the json and flags of its row are replaced. It is committed already.
};

struct TransactionRecord {
  DeviceNid device{};
  std::array<unsigned char, 16> key{};
  EventNid event{};
  std::string transaction_id = {};  // the client's own, for unsigned.transaction_id
};

// Live events of the unit that came late: /messages shows them, in this order, before that place.
struct LatePlaces {
  OrderKey before;
  std::vector<EventNid> events;
};

// The uncommitted head that units are built on, one after another. The writer marks it broken in the moment a unit of
// it fails, and refuses every later unit of it as stale_head, those not yet handed over too: they build on what
// never came to be. Reactor thread only.
struct HeadLineage {
  bool broken = false;
};

// Positions are given in this order: live events; memberships whose event is not a live one of this unit; changes.
// commit() takes all of it but `room` and `events`.
struct WriteUnit {
  RoomNid room{};                        // 0 when the unit concerns no single room
  std::shared_ptr<HeadLineage> lineage;  // none: not built on a head
  std::optional<NewRoom> new_room;
  std::vector<NewEvent> events;
  std::vector<NewLine> lines;
  std::vector<StateChange> state;
  std::optional<HeadUpdate> head;
  std::vector<MembershipChange> memberships;
  std::vector<RoomServerChange> servers;
  std::vector<RedactionRecord> redactions;
  std::vector<ReplacedEvent> replaced;
  std::vector<std::pair<EventId, EventNid>> new_gaps;  // missing event, event that names it
  std::vector<EventId> closed_gaps;                    // no longer missing
  std::optional<TransactionRecord> transaction;
  std::vector<std::pair<ServerNid, std::size_t>> outbox_extra;  // owed to a server outside the room: event_index
  std::vector<EventId> unstaged;                                // staged PDUs this unit settles
  std::vector<LatePlaces> late;
  std::vector<Change> changes;
  // Of a room that is made by it and that nobody else knows yet: committed right behind this one, or neither is.
  std::shared_ptr<WriteUnit> made_with;
};
using WriteUnitPtr = std::shared_ptr<WriteUnit>;

}  // namespace causeway
