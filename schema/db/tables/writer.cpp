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
    "85)";

std::string uuid_text(const WriterId& id) {
  return boost::algorithm::hex(std::string(id.begin(), id.end()));
}

std::optional<StreamState> take_over(Connection& connection, const WriterId& me, bool only_if_mine) {
  auto rows = connection.exec("select * from take_over_stream($1::uuid, $2)", uuid_text(me), only_if_mine);
  if (rows.empty()) return std::nullopt;
  return StreamState{read_int(rows[0][0]), read_int(rows[0][1]), read_int(rows[0][2])};
}

}  // namespace

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
  std::vector<Bytes> parameters = {my_generation.parameter(), positions.parameter()};
  auto append = [&](auto&... tables) { (tables.append_to(parameters), ...); };
  append(batch.rooms, batch.events, batch.event_auths, batch.event_jsons, batch.heads, batch.head_extremities,
         batch.transactions, batch.changes, batch.lines, batch.memberships, batch.room_servers, batch.redactions,
         batch.replaced, batch.gaps, batch.closed_gaps, batch.aliases, batch.published, batch.outbox_extra,
         batch.unstaged, batch.receipts, batch.account_data);
  return read_int(connection.exec_binary(write_batch_sql, parameters)[0][0]);
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
