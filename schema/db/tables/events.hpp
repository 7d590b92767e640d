// Table events, read. Written by the writer alone (writer.hpp).
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "schema/db/database.hpp"
#include "schema/db/tables/enums.hpp"
#include "schema/matrix/ids.hpp"

namespace causeway::db {

// One row, with the version of its room.
struct EventRow {
  EventNid nid{};
  RoomNid room{};
  UserNid sender{};
  std::optional<StateKeyNid> key;
  std::optional<StreamPosition> anchor;  // none: outlier
  std::int32_t sub = 0;
  std::int32_t state_line = 0, state_version = 0;
  std::optional<std::int32_t> after_line, after_version;
  EventFlags flags = EventFlags::none;
  std::vector<EventNid> auth;
  std::optional<std::int64_t> auth_order;  // where it is not the event's number
  EventId id;
  std::string room_version;
  std::string json;
  std::optional<std::pair<StreamPosition, std::int32_t>> late_place;  // of a page: its anchor and sub (late_events.hpp)
};

// A parameter for `$1::bytea[]` against columns of event IDs.
std::string event_id_array(std::span<const EventId> ids);

// In no order; what does not exist is left out.
std::vector<EventRow> events_by_nid(Connection& connection, std::span<const EventNid> nids);
std::vector<EventRow> events_by_id(Connection& connection, std::span<const EventId> ids);

// Timeline events that may be shown (not rejected, not soft-failed, not withheld).
//   live: since < position <= until, newest first.
std::vector<EventRow> live_events(Connection& connection, RoomNid room, StreamPosition since, StreamPosition until,
                                  std::size_t limit);
//   the same of many rooms, each named once: `limit` of each.
struct TimelineSpan {
  RoomNid room{};
  StreamPosition since = 0, until = 0;
};
// Of each room no more than `limit` and than hold so many bytes of JSON together; those that are beyond both, but the
// newest of these, are left out. That one tells that there are more.
std::vector<EventRow> live_events(Connection& connection, std::span<const TimelineSpan> spans, std::size_t limit,
                                  std::size_t max_bytes);
//   after or before a place (exclusive), the nearest first; events that came late where they belong.
std::vector<EventRow> events_after(Connection& connection, RoomNid room, StreamPosition anchor, std::int32_t sub,
                                   std::size_t limit);
std::vector<EventRow> events_before(Connection& connection, RoomNid room, StreamPosition anchor, std::int32_t sub,
                                    std::size_t limit);

// The newest live event at or before a position, whatever its flags.
std::optional<EventRow> last_live_event(Connection& connection, RoomNid room, StreamPosition position);

// The events and all that their auth_events lead to, at most `limit`.
std::vector<EventRow> auth_chain(Connection& connection, std::span<const EventNid> of, std::size_t limit);

// What these events cite, and what those cite, and so on, the given ones first: at most `limit`. Numbers alone.
struct CitingRow {
  EventNid nid{};
  std::int64_t auth_order = 0;
  StateKeyNid key{};  // 0: not a state event
  std::vector<EventNid> auth;
};
std::vector<CitingRow> cited_by(Connection& connection, std::span<const EventNid> of, std::size_t limit);

// Redactions of these events that were applied to them (`applied`), or that came before them or may not redact them
// (otherwise).
std::vector<EventRow> redactions_of(Connection& connection, std::span<const EventId> targets, bool applied,
                                    std::size_t limit);

// Of each target that was redacted, one redaction that was applied. In no order.
std::vector<std::pair<EventId, EventNid>> applied_redactions(Connection& connection, std::span<const EventId> targets);

// Events named by others that are not here, those named by the last of the timeline first. With the place of who names
// them.
struct GapRow {
  EventId missing;
  EventNid later{};
  StreamPosition anchor = 0;
  std::int32_t sub = 0;
};
std::vector<GapRow> gaps(Connection& connection, RoomNid room, std::size_t limit);

// What is missing before the last event at or before a place that names such.
std::vector<GapRow> gap_at_or_before(Connection& connection, RoomNid room, StreamPosition anchor, std::int32_t sub);

}  // namespace causeway::db
