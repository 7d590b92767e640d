// What the one writer writes: everything durable that a client can observe. A unit is committed whole or not at all.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <vector>

#include "homeserver/events/stored_event.hpp"
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

struct ReceiptChange {
  RoomNid room{};
  UserNid user{};
  UserId user_id;
  RoomId room_id;
  std::string receipt_type;
  std::string thread_id;  // "" for unthreaded
  EventId event_id;
  Timestamp ts = 0;
  bool local = true;  // of one of our users: goes out over federation
};

struct AccountDataChange {
  UserNid user{};
  RoomNid room{};  // 0: global
  std::string type;
  std::string content_json;
};

// The uncommitted head that units are built on, one after another. The writer marks it broken in the moment a unit of
// it fails, and refuses every later unit of it as stale_head, those not yet handed over too: they build on what
// never came to be. Reactor thread only.
struct HeadLineage {
  bool broken = false;
};

// Positions are given in this order: live events; memberships whose event is not a live one of this unit; receipts;
// account data.
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
  std::vector<std::pair<RoomAlias, UserNid>> new_aliases;
  std::optional<bool> published;
  std::optional<RoomNid> aliases_of;                            // whose aliases become this room's
  std::vector<std::pair<ServerNid, std::size_t>> outbox_extra;  // owed to a server outside the room: event_index
  std::vector<EventId> unstaged;                                // staged PDUs this unit settles
  std::vector<ReceiptChange> receipts;
  std::vector<AccountDataChange> account_data;
  // Of a room that is made by it and that nobody else knows yet: committed right behind this one, or neither is.
  std::shared_ptr<WriteUnit> made_with;

  // Filled in by the writer on commit: the position of each, in the order of the vectors above. That of a membership
  // whose event is a live one of this unit is the event's.
  std::vector<StreamPosition> membership_positions, receipt_positions, account_data_positions;
};
using WriteUnitPtr = std::shared_ptr<WriteUnit>;

}  // namespace causeway
