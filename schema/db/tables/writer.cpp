#include "schema/db/tables/writer.hpp"

#include <boost/algorithm/hex.hpp>

namespace causeway::db {

namespace {

constexpr const char* write_batch_sql =
    "select "
    "write_batch($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11,$12,$13,$14,$15,$16,$17,$18,$19,$20,$21,$22,$23,$24,$25,$26,$27,"
    "$28,$29,$30,$31,$32,$33,$34,$35,$36,$37,$38,$39,$40,$41,$42,$43,$44,$45,$46,$47,$48,$49,$50,$51,$52,$53,$54,$55,$"
    "56,"
    "$57,$58,$59,$60,$61,$62,$63,$64,$65,$66,$67,$68,$69,$70,$71,$72,$73,$74,$75,$76,$77,$78,$79,$80,$81,$82,$83,$84,$"
    "85,$86), move_aliases($87,$88)";

// What nearly all batches are, in one plain statement: 100 us less than the function for everything, which has five
// times the parameters and begins each of its statements anew. Nothing is written by another generation. What is there
// already makes it fail as a whole.
constexpr const char* write_messages_sql =
    "with base as materialized ("
    "  update stream set position = position + $2, batch = batch + 1 where generation = $1"
    "  returning position - $2 as before"
    "), new_events as ("
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
    ") select before from base";

std::string uuid_text(const WriterId& id) {
  return boost::algorithm::hex(std::string(id.begin(), id.end()));
}

std::optional<StreamState> take_over(Connection& connection, const WriterId& me, bool only_if_mine) {
  auto rows = connection.exec("select * from take_over_stream($1::uuid, $2)", uuid_text(me), only_if_mine);
  if (rows.empty()) return std::nullopt;
  return StreamState{read_int(rows[0][0]), read_int(rows[0][1]), read_int(rows[0][2])};
}

// `parameters` are the first two of both statements.
std::optional<StreamPosition> write_messages(Connection& connection, std::vector<Bytes> parameters, WriteBatch& batch) {
  batch.events.append_columns_to<0, 1, 2, 4, 7, 8, 11, 12>(parameters);
  batch.event_jsons.append_to(parameters);
  batch.heads.append_to(parameters);
  batch.head_extremities.append_to(parameters);
  batch.transactions.append_to(parameters);
  try {
    const auto rows = connection.exec_binary(write_messages_sql, parameters);
    if (!rows.empty()) return read_int(rows[0][0]);
  } catch (const pqxx::unique_violation&) {
  }
  return std::nullopt;
}

StreamPosition write_anything(Connection& connection, std::vector<Bytes> parameters, WriteBatch& batch) {
  auto append = [&](auto&... tables) { (tables.append_to(parameters), ...); };
  append(batch.rooms, batch.events, batch.event_auths, batch.event_jsons, batch.heads, batch.head_extremities,
         batch.transactions, batch.changes, batch.lines, batch.memberships, batch.room_servers, batch.redactions,
         batch.replaced, batch.gaps, batch.closed_gaps, batch.aliases, batch.published, batch.outbox_extra,
         batch.unstaged, batch.receipts, batch.account_data, batch.moved_aliases);
  return read_int(connection.exec_binary(write_batch_sql, parameters)[0][0]);
}

}  // namespace

bool WriteBatch::only_messages() const {
  const auto none = [](const auto&... tables) { return ((tables.size() == 0) && ...); };
  return all_are_messages &&
         none(rooms, changes, lines, memberships, room_servers, redactions, replaced, gaps, closed_gaps, aliases,
              published, outbox_extra, unstaged, receipts, account_data, moved_aliases);
}

void prepare_writer_session(Connection& connection) {
  // Plans are made when tables are small and kept when they have grown, so the planner gets no choice but the indexes.
  connection.exec_script(
      "set enable_seqscan = off; set enable_hashjoin = off; set enable_mergejoin = off; set jit = off; "
      "set plan_cache_mode = force_generic_plan; set statement_timeout = '30s'; set application_name = 'causeway "
      "writer'");
}

StreamState take_over_stream(Connection& connection, const WriterId& me) {
  return take_over(connection, me, false).value();
}

std::optional<StreamState> renew_stream(Connection& connection, const WriterId& me) {
  return take_over(connection, me, true);
}

bool is_writer(Connection& connection, const WriterId& me) {
  return !connection.exec("select from stream where writer = $1::uuid", uuid_text(me)).empty();
}

StreamPosition write_batch(Connection& connection, std::int64_t generation, WriteBatch& batch) {
  const BinaryInt my_generation(generation), positions(batch.positions);
  const std::vector<Bytes> first = {my_generation.parameter(), positions.parameter()};
  if (batch.only_messages()) {
    if (const auto base = write_messages(connection, first, batch)) return *base;
  }
  return write_anything(connection, first, batch);
}

WriteRefusal why_refused(const pqxx::sql_error& error) {
  const std::string& state = error.sqlstate();
  if (state == "CW001") return WriteRefusal::fenced;
  if (state == "CW002") return WriteRefusal::duplicate_transaction;
  if (state == "CW003") return WriteRefusal::alias_taken;
  // Serialization and deadlock, resources, operator's cancel or timeout, system errors, a standby that is not promoted
  // yet.
  static constexpr std::string_view passing[] = {"40", "53", "55", "57", "58", "25006"};
  for (std::string_view prefix : passing)
    if (state.starts_with(prefix)) return WriteRefusal::transient;
  return WriteRefusal::deterministic;
}

}  // namespace causeway::db
