#include "schema/db/tables/transactions.hpp"

#include <cstring>

#include "schema/matrix/assert.hpp"

namespace causeway::db {

std::vector<TransactionRow> recent_transactions(Connection& connection, DeviceNid device, std::size_t limit) {
  const pqxx::result rows = connection.exec(
      "select uuid_send(t.key), e.event_id from transactions t join events e using (event_nid) "
      "where t.device_nid = $1 order by t.created_ts desc limit $2",
      device, static_cast<std::int64_t>(limit));
  std::vector<TransactionRow> found;
  found.reserve(rows.size());
  for (const auto& row : rows) {
    TransactionRow transaction;
    const std::string key = read_bytes(row[0]);
    CAUSEWAY_ASSERT(key.size() == transaction.key.size());
    std::memcpy(transaction.key.data(), key.data(), key.size());
    transaction.event = EventId::from_db(read_bytes(row[1]));
    found.push_back(std::move(transaction));
  }
  return found;
}

std::optional<EventId> find_transaction(Connection& connection, DeviceNid device, const TransactionKey& key) {
  const std::string_view bytes(reinterpret_cast<const char*>(key.data()), key.size());
  const pqxx::result rows = connection.exec(
      "select e.event_id from transactions t join events e using (event_nid) "
      "where t.device_nid = $1 and t.key = encode($2, 'hex')::uuid",
      device, Bytes(bytes));
  if (rows.empty()) return std::nullopt;
  return EventId::from_db(read_bytes(rows[0][0]));
}

}  // namespace causeway::db
