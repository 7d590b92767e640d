#include "schema/db/tables/events.hpp"

#include <algorithm>
#include <iterator>

#include "schema/db/tables/event_conditions.hpp"

namespace causeway::db {

namespace {

// Every query below selects these columns of `events e` and `rooms r`, in this order.
#define SELECT_EVENTS                                                                                \
  "select e.event_nid, e.room_nid, e.sender_nid, e.state_key_nid, e.anchor, e.sub, e.state_line, "   \
  "e.state_version, e.after_line, e.after_version, e.flags, e.auth_nids, e.auth_order, e.event_id, " \
  "r.version, e.json "
#define FROM_EVENTS "from events e join rooms r on r.room_nid = e.room_nid "
#define SHOWN "and " EVENT_IS_SHOWN " "

template <class T>
std::optional<T> read_optional(const pqxx::field& field) {
  if (field.is_null()) return std::nullopt;
  return read_int<T>(field);
}

EventRow read_event(const pqxx::row& row) {
  EventRow event;
  event.nid = read_int<EventNid>(row[0]);
  event.room = read_int<RoomNid>(row[1]);
  event.sender = read_int<UserNid>(row[2]);
  event.key = read_optional<StateKeyNid>(row[3]);
  event.anchor = read_optional<StreamPosition>(row[4]);
  event.sub = read_int<std::int32_t>(row[5]);
  event.state_line = read_optional<std::int32_t>(row[6]).value_or(0);
  event.state_version = read_optional<std::int32_t>(row[7]).value_or(0);
  event.after_line = read_optional<std::int32_t>(row[8]);
  event.after_version = read_optional<std::int32_t>(row[9]);
  event.flags = read_int<EventFlags>(row[10]);
  for (std::int64_t nid : read_ints(row[11]))
    event.auth.push_back(EventNid{nid});
  event.auth_order = read_optional<std::int64_t>(row[12]);
  event.id = EventId::from_db(read_bytes(row[13]));
  event.room_version = row[14].as<std::string>();
  event.json = read_bytes(row[15]);
  if (row.size() > 17 && !row[16].is_null()) event.late_place.emplace(read_int(row[16]), row[17].as<std::int32_t>());
  return event;
}

std::vector<EventRow> read_events(const pqxx::result& rows) {
  std::vector<EventRow> events;
  events.reserve(rows.size());
  for (const auto& row : rows)
    events.push_back(read_event(row));
  return events;
}

// Of one event: more than any may name.
constexpr int max_missing_events = 100;

std::vector<GapRow> read_gaps(const pqxx::result& rows) {
  std::vector<GapRow> found;
  for (const auto& row : rows)
    found.push_back({EventId::from_db(read_bytes(row[0])), read_int<EventNid>(row[1]), read_int<StreamPosition>(row[2]),
                     row[3].as<std::int32_t>()});
  return found;
}

}  // namespace

std::string event_id_array(std::span<const EventId> ids) {
  std::vector<std::string> raw;
  raw.reserve(ids.size());
  for (const EventId& id : ids)
    raw.push_back(id.to_db());
  return bytea_array(raw);
}

// In parts, so that what the database sends at once is bounded however large the events are.
std::vector<EventRow> events_by_nid(Connection& connection, std::span<const EventNid> nids) {
  constexpr std::size_t at_once = 256;
  std::vector<EventRow> events;
  events.reserve(nids.size());
  for (std::size_t first = 0; first < nids.size(); first += at_once) {
    const auto some = nids.subspan(first, std::min(at_once, nids.size() - first));
    auto rows = read_events(
        connection.exec(SELECT_EVENTS FROM_EVENTS "where e.event_nid = any($1::bigint[])", int_array_of(some)));
    std::ranges::move(rows, std::back_inserter(events));
  }
  return events;
}

std::vector<EventRow> events_by_id(Connection& connection, std::span<const EventId> ids) {
  return read_events(
      connection.exec(SELECT_EVENTS FROM_EVENTS "where e.event_id = any($1::bytea[])", event_id_array(ids)));
}

std::vector<EventRow> live_events(Connection& connection, RoomNid room, StreamPosition since, StreamPosition until,
                                  std::size_t limit) {
  return read_events(connection.exec(SELECT_EVENTS FROM_EVENTS
                                     "where e.room_nid = $1 and e.anchor > $2 and e.anchor <= $3 and e.sub = 0 " SHOWN
                                     "order by e.anchor desc, e.sub desc limit $4",
                                     room, since, until, limit));
}

std::vector<EventRow> live_events(Connection& connection, std::span<const TimelineSpan> spans, std::size_t limit,
                                  std::size_t max_bytes) {
  return read_events(connection.exec(
      SELECT_EVENTS
      "from unnest($1::bigint[], $2::bigint[], $3::bigint[]) as span (room, since, until) cross join lateral ("
      "  select *, sum(octet_length(newest.json)) over (order by newest.anchor desc) - octet_length(newest.json) as"
      "  newer_bytes from ("
      "    select * from events as e where e.room_nid = span.room and e.anchor > span.since and e.anchor <= span.until"
      "    and e.sub = 0 " SHOWN
      "    order by e.anchor desc, e.sub desc limit $4) as newest) as e "
      "join rooms r on r.room_nid = e.room_nid where e.newer_bytes <= $5 order by e.room_nid, e.anchor desc",
      int_array_of(spans, &TimelineSpan::room), int_array_of(spans, &TimelineSpan::since),
      int_array_of(spans, &TimelineSpan::until), limit, max_bytes));
}

// A page of the timeline: `beyond` compares with the place where it begins, `nearest` is the direction of the order.
#define PAGE(beyond, nearest)                                                                                       \
  SELECT_EVENTS                                                                                                     \
  ", e.late_anchor, e.late_sub from ("                                                                              \
  "(select e.*, e.anchor as place_anchor, e.sub as place_sub, null::bigint as late_anchor, null::int as late_sub"   \
  "  from events e where e.room_nid = $1 and e.anchor is not null and (e.anchor, e.sub) " beyond " ($2, $3) " SHOWN \
  "and not exists (select from late_events l where l.event_nid = e.event_nid)"                                      \
  "  order by e.anchor " nearest ", e.sub " nearest                                                                 \
  " limit $4) "                                                                                                     \
  "union all "                                                                                                      \
  "(select e.*, l.anchor, l.sub, l.anchor, l.sub"                                                                   \
  "  from late_events l join events e on e.event_nid = l.event_nid"                                                 \
  "  where l.room_nid = $1 and (l.anchor, l.sub) " beyond " ($2, $3) " SHOWN                                        \
  "order by l.anchor "                                                                                              \
  "" nearest ", l.sub " nearest                                                                                     \
  " limit $4) "                                                                                                     \
  "order by place_anchor " nearest ", place_sub " nearest                                                           \
  " limit $4) e "                                                                                                   \
  "join rooms r on r.room_nid = e.room_nid order by e.place_anchor " nearest ", e.place_sub " nearest

std::vector<EventRow> events_after(Connection& connection, RoomNid room, StreamPosition anchor, std::int32_t sub,
                                   std::size_t limit) {
  return read_events(connection.exec(PAGE(">", "asc"), room, anchor, sub, limit));
}

std::vector<EventRow> events_before(Connection& connection, RoomNid room, StreamPosition anchor, std::int32_t sub,
                                    std::size_t limit) {
  return read_events(connection.exec(PAGE("<", "desc"), room, anchor, sub, limit));
}

std::optional<EventRow> last_live_event(Connection& connection, RoomNid room, StreamPosition position) {
  auto rows = connection.exec(SELECT_EVENTS FROM_EVENTS
                              "where e.room_nid = $1 and e.anchor <= $2 and e.sub = 0 "
                              "order by e.anchor desc, e.sub desc limit 1",
                              room, position);
  if (rows.empty()) return std::nullopt;
  return read_event(rows[0]);
}

std::vector<EventRow> auth_chain(Connection& connection, std::span<const EventNid> of, std::size_t limit) {
  return read_events(
      connection.exec("with recursive chain(nid) as ("
                      "select unnest($1::bigint[]) union "
                      "select unnest(a.auth_nids) from chain join events a on a.event_nid = chain.nid) " SELECT_EVENTS
                      "from (select nid from chain limit $2) c join events e on e.event_nid = c.nid "
                      "join rooms r on r.room_nid = e.room_nid",
                      int_array_of(of), limit));
}

// A recursive query gives its first term's rows first and stops when no more are wanted.
std::vector<CitingRow> cited_by(Connection& connection, std::span<const EventNid> of, std::size_t limit) {
  std::vector<CitingRow> found;
  for (const auto& row : connection.exec(
           "with recursive chain(nid) as ("
           "select unnest($1::bigint[]) union "
           "select unnest(a.auth_nids) from chain join events a on a.event_nid = chain.nid) "
           "select e.event_nid, coalesce(e.auth_order, e.event_nid), coalesce(e.state_key_nid, 0), e.auth_nids "
           "from (select nid from chain limit $2) c join events e on e.event_nid = c.nid",
           int_array_of(of), limit)) {
    CitingRow& citing = found.emplace_back();
    citing.nid = read_int<EventNid>(row[0]);
    citing.auth_order = read_int(row[1]);
    citing.key = read_int<StateKeyNid>(row[2]);
    for (std::int64_t nid : read_ints(row[3]))
      citing.auth.push_back(EventNid{nid});
  }
  return found;
}

std::vector<EventRow> redactions_of(Connection& connection, std::span<const EventId> targets, bool applied,
                                    std::size_t limit) {
  return read_events(connection.exec(SELECT_EVENTS "from redactions d join events e on e.event_nid = d.redaction_nid "
                                                   "join rooms r on r.room_nid = e.room_nid "
                                                   "where d.target_event_id = any($1::bytea[]) and d.applied = $2 "
                                                   "order by d.redaction_nid limit $3",
                                     event_id_array(targets), applied, limit));
}

std::vector<std::pair<EventId, EventNid>> applied_redactions(Connection& connection, std::span<const EventId> targets) {
  std::vector<std::pair<EventId, EventNid>> found;
  for (const auto& row : connection.exec("select target_event_id, min(redaction_nid) from redactions "
                                         "where target_event_id = any($1::bytea[]) and applied group by 1",
                                         event_id_array(targets)))
    found.emplace_back(EventId::from_db(read_bytes(row[0])), read_int<EventNid>(row[1]));
  return found;
}

#define SELECT_GAPS                                                                                                 \
  "select g.missing_event_id, g.later_event_nid, coalesce(l.anchor, e.anchor), coalesce(l.sub, e.sub) from gaps g " \
  "join events e on e.event_nid = g.later_event_nid left join late_events l on l.event_nid = g.later_event_nid "    \
  "where g.room_nid = $1 "

std::vector<GapRow> gaps(Connection& connection, RoomNid room, std::size_t limit) {
  return read_gaps(connection.exec(SELECT_GAPS "order by 3 desc, 4 desc, g.missing_event_id limit $2", room, limit));
}

std::vector<GapRow> gap_at_or_before(Connection& connection, RoomNid room, StreamPosition anchor, std::int32_t sub) {
  auto found =
      read_gaps(connection.exec(SELECT_GAPS "and (coalesce(l.anchor, e.anchor), coalesce(l.sub, e.sub)) <= ($2, $3) "
                                            "order by 3 desc, 4 desc, g.missing_event_id limit $4",
                                room, anchor, sub, max_missing_events));
  std::erase_if(found, [&found](const GapRow& row) { return row.later != found.front().later; });
  return found;
}

}  // namespace causeway::db
