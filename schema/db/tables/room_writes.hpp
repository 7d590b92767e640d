// What a batch writes of rooms: they themselves, events, heads, state, and what hangs on these. Tables rooms, events,
// room_state, state_lines, memberships, room_servers, redactions, gaps, late_events, outbox_extra, staged_pdus.
//
// An `offset` is a distance from the last position before the batch: 1 is the batch's first.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "schema/db/tables/enums.hpp"
#include "schema/db/write_batch.hpp"
#include "schema/matrix/ids.hpp"

namespace causeway::db {

struct EventWrite {
  EventNid nid{};
  RoomNid room{};
  UserNid sender{};
  std::optional<StateKeyNid> key;
  std::optional<StreamPosition> offset;  // live
  std::optional<StreamPosition> anchor;  // backfilled
  std::int32_t sub = 0;
  std::optional<std::int32_t> line, version;  // none: outlier
  std::optional<std::int32_t> after_line, after_version;
  EventFlags flags = EventFlags::none;
  std::string id;                            // EventId::to_db()
  std::span<const EventNid> auth;            // of state events
  std::optional<std::int64_t> raised_order;  // auth_order where it is not the number
  std::string_view json;
};
void add_event(WriteBatch& batch, const EventWrite& event);
// A committed event is stored in another form.
void replace_event(WriteBatch& batch, EventNid event, EventFlags flags, std::string_view json);

void add_room(WriteBatch& batch, RoomNid room, const RoomId& id, std::string_view version, bool resident,
              Timestamp created_ts);
// Once for a room in a batch, as the batch leaves it.
void write_head(WriteBatch& batch, RoomNid room, std::int32_t state_version, std::int32_t next_line, bool resident,
                std::span<const EventNid> extremities);

// From this version of the line on the key is held by this event (0: by none). Closes the row that was open.
void change_state(WriteBatch& batch, RoomNid room, std::int32_t line, StateKeyNid key, std::int32_t from_version,
                  EventNid event);
void add_state_line(WriteBatch& batch, RoomNid room, std::int32_t line, std::optional<std::int32_t> parent_line,
                    std::optional<std::int32_t> parent_version);

void change_membership(WriteBatch& batch, UserNid user, RoomNid room, Membership membership, bool forgotten,
                       EventNid event, StreamPosition offset, const std::optional<std::string>& stripped_state);
void change_room_server(WriteBatch& batch, ServerNid server, RoomNid room, StreamPosition offset, bool joined);

void record_redaction(WriteBatch& batch, const EventId& target, EventNid redaction, bool applied);
void add_gap(WriteBatch& batch, RoomNid room, const EventId& missing, EventNid later);
void close_gap(WriteBatch& batch, RoomNid room, const EventId& missing);
// Gives these events, in their order, places right before that one. Those that have such a place keep it.
void place_late_events(WriteBatch& batch, RoomNid room, StreamPosition anchor, std::int32_t sub,
                       std::span<const EventNid> events);

// The commit is refused where the device has used the identifier before (WriteRefusal::duplicate_transaction).
void add_transaction(WriteBatch& batch, DeviceNid device, std::string_view key, EventNid event);
// An event is owed to a server that is not in its room.
void owe(WriteBatch& batch, ServerNid server, StreamPosition offset);
void unstage(WriteBatch& batch, const EventId& staged);

// The faster way of batches that are only_messages: their events, heads and transactions in one plain statement. 100 us
// less than the functions take, and nearly all batches are such.
namespace messages {
extern const char* const sql;  // further parts of `with base ...`; parameters from $3 on
void append_to(WriteBatch& batch, std::vector<Bytes>& parameters);
bool has(const WriteFunction& function);  // its rows are among these
}  // namespace messages

}  // namespace causeway::db
