#include "schema/db/tables/room_writes.hpp"

namespace causeway::db {

namespace {

using I = IntColumn;
using B = BytesColumn;
using Turn = WriteFunction::Turn;

// nid, room, sender, key, offset, anchor, sub, line, version, line and version after, flags, id, first and last index
// among the auth events, raised order, json; and the auth events.
class EventRows : public TypedRows<I, I, I, I, I, I, I, I, I, I, I, I, B, I, I, I, B> {
 public:
  IntColumn auths;
  std::size_t append_to(std::vector<Bytes>& parameters) override {
    const std::size_t columns = TypedRows::append_to(parameters);
    parameters.push_back(auths.parameter());
    return columns + 1;
  }
};
// room, state version, next line, resident, first and last index among the extremities; and the extremities.
class HeadRows : public TypedRows<I, I, I, I, I, I> {
 public:
  IntColumn extremities;
  std::size_t append_to(std::vector<Bytes>& parameters) override {
    const std::size_t columns = TypedRows::append_to(parameters);
    parameters.push_back(extremities.parameter());
    return columns + 1;
  }
};
// room, anchor, sub, first and last index among the events; and the events.
class LateRows : public TypedRows<I, I, I, I, I> {
 public:
  IntColumn events;
  std::size_t append_to(std::vector<Bytes>& parameters) override {
    const std::size_t columns = TypedRows::append_to(parameters);
    parameters.push_back(events.parameter());
    return columns + 1;
  }
};
using TransactionRows = TypedRows<I, B, I>;

constexpr WriteFunction events{"write_events", Turn::events};
constexpr WriteFunction heads{"write_heads", Turn::heads};
constexpr WriteFunction transactions{"write_transactions", Turn::heads};

// The indices, from 1, that these get in the column.
template <class Nids>
std::pair<std::size_t, std::size_t> append(IntColumn& column, const Nids& nids) {
  const std::size_t first = column.size() + 1;
  for (EventNid nid : nids)
    column.add(nid);
  return {first, column.size()};
}

}  // namespace

void add_event(WriteBatch& batch, const EventWrite& event) {
  auto& rows = batch.rows<EventRows>(events);
  std::optional<std::size_t> first, last;
  if (event.key) std::tie(first, last) = append(rows.auths, event.auth);
  if (!event.offset || event.key || event.after_line) batch.only_messages = false;
  rows.add(event.nid, event.room, event.sender, event.key, event.offset, event.anchor, event.sub, event.line,
           event.version, event.after_line, event.after_version, event.flags, event.id, first, last, event.raised_order,
           event.json);
}

void replace_event(WriteBatch& batch, EventNid event, EventFlags flags, std::string_view json) {
  batch.rows<TypedRows<I, I, B>>({"replace_events", Turn::of_rooms}).add(event, flags, json);
}

void add_room(WriteBatch& batch, RoomNid room, const RoomId& id, std::string_view version, bool resident,
              Timestamp created_ts) {
  batch.rows<TypedRows<I, B, B, I, I>>({"write_rooms", Turn::rooms}).add(room, id.str(), version, resident, created_ts);
}

void write_head(WriteBatch& batch, RoomNid room, std::int32_t state_version, std::int32_t next_line, bool resident,
                std::span<const EventNid> extremities) {
  auto& rows = batch.rows<HeadRows>(heads);
  const auto [first, last] = append(rows.extremities, extremities);
  rows.add(room, state_version, next_line, resident, first, last);
}

void change_state(WriteBatch& batch, RoomNid room, std::int32_t line, StateKeyNid key, std::int32_t from_version,
                  EventNid event) {
  batch.rows<TypedRows<I, I, I, I, I>>({"write_room_state", Turn::state}).add(room, line, key, from_version, event);
}

void add_state_line(WriteBatch& batch, RoomNid room, std::int32_t line, std::optional<std::int32_t> parent_line,
                    std::optional<std::int32_t> parent_version) {
  batch.rows<TypedRows<I, I, I, I>>({"write_state_lines", Turn::state}).add(room, line, parent_line, parent_version);
}

void change_membership(WriteBatch& batch, UserNid user, RoomNid room, Membership membership, bool forgotten,
                       EventNid event, StreamPosition offset, const std::optional<std::string>& stripped_state) {
  batch.rows<TypedRows<I, I, I, I, I, I, B>>({"write_memberships", Turn::of_rooms})
      .add(user, room, membership, forgotten, event, offset, stripped_state);
}

void change_room_server(WriteBatch& batch, ServerNid server, RoomNid room, StreamPosition offset, bool joined) {
  batch.rows<TypedRows<I, I, I, I>>({"write_room_servers", Turn::of_rooms}).add(server, room, offset, joined);
}

void record_redaction(WriteBatch& batch, const EventId& target, EventNid redaction, bool applied) {
  batch.rows<TypedRows<B, I, I>>({"write_redactions", Turn::of_rooms}).add(target.to_db(), redaction, applied);
}

void add_gap(WriteBatch& batch, RoomNid room, const EventId& missing, EventNid later) {
  batch.rows<TypedRows<I, B, I>>({"write_gaps", Turn::state}).add(room, missing.to_db(), later);
}

void close_gap(WriteBatch& batch, RoomNid room, const EventId& missing) {
  batch.rows<TypedRows<I, B>>({"close_gaps", Turn::of_rooms}).add(room, missing.to_db());
}

void place_late_events(WriteBatch& batch, RoomNid room, StreamPosition anchor, std::int32_t sub,
                       std::span<const EventNid> late) {
  auto& rows = batch.rows<LateRows>({"write_late_events", Turn::of_rooms});
  const auto [first, last] = append(rows.events, late);
  rows.add(room, anchor, sub, first, last);
}

void add_transaction(WriteBatch& batch, DeviceNid device, std::string_view key, EventNid event) {
  batch.rows<TransactionRows>(transactions).add(device, key, event);
}

void owe(WriteBatch& batch, ServerNid server, StreamPosition offset) {
  batch.rows<TypedRows<I, I>>({"write_outbox_extra", Turn::of_rooms}).add(server, offset);
}

void unstage(WriteBatch& batch, const EventId& staged) {
  batch.rows<TypedRows<B>>({"delete_staged_pdus", Turn::of_rooms}).add(staged.to_db());
}

namespace messages {

const char* const sql =
    ", new_events as ("
    "  insert into events (event_nid, room_nid, sender_nid, anchor, state_line, state_version, flags, event_id, json)"
    "  select n.nid, n.room, n.sender, base.before + n.place, n.line, n.version, n.flags, n.id, n.json"
    "  from base, unnest($3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[], $8::bigint[],"
    "                    $9::bigint[], $10::bytea[], $11::bytea[])"
    "    n(nid, room, sender, place, line, version, flags, id, json)"
    "), heads as ("
    "  update rooms r set state_version = n.version, next_line = n.next_line, resident = n.resident <> 0,"
    "                     extremities = ($18::bigint[])[n.first:n.last]"
    "  from base, unnest($12::bigint[], $13::bigint[], $14::bigint[], $15::bigint[], $16::bigint[], $17::bigint[])"
    "    n(room, version, next_line, resident, first, last)"
    "  where r.room_nid = n.room"
    "), new_transactions as ("
    "  insert into transactions (device_nid, key, event_nid, created_ts)"
    "  select n.device, encode(n.key, 'hex')::uuid, n.event, extract(epoch from clock_timestamp()) * 1000"
    "  from base, unnest($19::bigint[], $20::bytea[], $21::bigint[]) n(device, key, event)"
    ")";

void append_to(WriteBatch& batch, std::vector<Bytes>& parameters) {
  batch.rows<EventRows>(events).rows().append_columns_to<0, 1, 2, 4, 7, 8, 11, 12, 16>(parameters);
  batch.rows<HeadRows>(heads).append_to(parameters);
  batch.rows<TransactionRows>(transactions).append_to(parameters);
}

bool has(const WriteFunction& function) {
  return function == events || function == heads || function == transactions;
}

}  // namespace messages

}  // namespace causeway::db
