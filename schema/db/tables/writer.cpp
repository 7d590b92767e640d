#include "schema/db/tables/writer.hpp"

#include <boost/algorithm/hex.hpp>

#include "schema/db/tables/room_writes.hpp"

namespace causeway::db {

namespace {

std::string uuid_text(const WriterId& id) {
  return boost::algorithm::hex(std::string(id.begin(), id.end()));
}

std::optional<StreamState> take_over(Connection& connection, const WriterId& me, bool only_if_mine) {
  auto rows = connection.exec("select * from take_over_stream($1::uuid, $2)", uuid_text(me), only_if_mine);
  if (rows.empty()) return std::nullopt;
  return StreamState{read_int(rows[0][0]), read_int(rows[0][1]), read_int(rows[0][2])};
}

bool goes_as_messages(WriteBatch& batch) {
  if (!batch.only_messages) return false;
  bool has_events = false;
  for (const auto& [function, rows] : batch.tables()) {
    if (!messages::has(function) && function.turn != WriteFunction::Turn::independent) return false;
    has_events = has_events || messages::has(function);
  }
  return has_events;
}

// None: another generation.
std::optional<StreamPosition> write(Connection& connection, WriteStatements& statements, std::int64_t generation,
                                    WriteBatch& batch, bool as_messages) {
  const BinaryInt my_generation(generation), positions(batch.positions);
  std::vector<Bytes> parameters = {my_generation.parameter(), positions.parameter()};
  if (as_messages) messages::append_to(batch, parameters);
  const std::size_t first_parameters = parameters.size();
  std::vector<WriteStatements::Call> calls;
  for (const auto& [function, rows] : batch.tables())
    if (!as_messages || !messages::has(function)) calls.push_back({function.name, rows->append_to(parameters)});
  const char* sql = statements.text(as_messages ? messages::sql : "", first_parameters, calls);
  const auto rows = connection.exec_binary(sql, parameters);
  if (rows.empty()) return std::nullopt;
  return read_int(rows[0][0]);
}

}  // namespace

// The functions are called one inside the other, as nothing else gives SQL an order: each returns its first argument.
const char* WriteStatements::text(std::string_view first, std::size_t first_parameters,
                                  const std::vector<Call>& calls) {
  std::string key(first.empty() ? "" : "messages");
  for (const Call& call : calls)
    (key += ' ') += call.function;
  const auto known = by_key_.find(key);
  if (known != by_key_.end()) return known->second.c_str();
  std::string call = "before";
  std::size_t parameter = first_parameters;
  for (const auto& [function, columns] : calls) {
    call = std::string(function) + "(" + call;
    for (std::size_t i = 0; i < columns; ++i)
      call += ", $" + std::to_string(++parameter);
    call += ")";
  }
  std::string sql =
      "with base as materialized ("
      "update stream set position = position + $2, batch = batch + 1 where generation = $1"
      " returning position - $2 as before)" +
      std::string(first) + " select " + call + " from base";
  return by_key_.emplace(std::move(key), std::move(sql)).first->second.c_str();
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

StreamPosition write_batch(Connection& connection, WriteStatements& statements, std::int64_t generation,
                           WriteBatch& batch) {
  if (statements.full()) {
    connection.forget_prepared();
    statements.clear();
  }
  std::optional<StreamPosition> base;
  if (goes_as_messages(batch)) {
    try {
      base = write(connection, statements, generation, batch, true);
    } catch (const pqxx::unique_violation&) {
      base = write(connection, statements, generation, batch, false);
    }
  } else {
    base = write(connection, statements, generation, batch, false);
  }
  if (!base) throw Fenced("generation " + std::to_string(generation) + " of the stream's writer is over");
  return *base;
}

WriteRefusal why_refused(const pqxx::sql_error& error) {
  const std::string& state = error.sqlstate();
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
