#include "schema/db/tables/transactions.hpp"

namespace causeway::db {

std::optional<EventId> find_transaction(Connection& connection, DeviceNid device, const TransactionKey& key) {
  const std::string_view bytes(reinterpret_cast<const char*>(key.data()), key.size());
  const pqxx::result rows = connection.exec(
      "select e.event_id from transactions t join events e using (event_nid) "
      "where t.device_nid = $1 and t.key = encode($2, 'hex')::uuid",
      device, Bytes(bytes));
  if (rows.empty()) return std::nullopt;
  return EventId::from_db(read_bytes(rows[0][0]));
}

namespace {

std::string first_row_of(std::int64_t block) {
  return "(" + std::to_string(block) + ",0)";
}

}  // namespace

std::optional<std::int64_t> delete_old_transactions(Connection& connection, std::int64_t retention_ms,
                                                    std::int64_t first_block, std::int64_t max_blocks) {
  const std::int64_t end = first_block + max_blocks;
  connection.exec(
      "delete from transactions where ctid >= $1::tid and ctid < $2::tid"
      " and created_ts < extract(epoch from clock_timestamp()) * 1000 - $3::bigint",
      first_row_of(first_block), first_row_of(end), retention_ms);
  const auto more = connection.exec(
      "select pg_relation_size('transactions') > $1::bigint * current_setting('block_size')::bigint", end);
  return more[0][0].as<bool>() ? std::optional(end) : std::nullopt;
}

}  // namespace causeway::db
