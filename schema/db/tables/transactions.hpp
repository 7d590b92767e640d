// Table `transactions`: what became of the requests that a client numbers, so that a retry gets the same event.
#pragma once

#include <array>
#include <optional>
#include <vector>

#include "schema/db/database.hpp"
#include "schema/matrix/ids.hpp"

namespace causeway::db {

using TransactionKey = std::array<unsigned char, 16>;  // of path and identifier

struct TransactionRow {
  TransactionKey key{};
  EventId event;
};

// The newest of a device.
std::vector<TransactionRow> recent_transactions(Connection& connection, DeviceNid device, std::size_t limit);
std::optional<EventId> find_transaction(Connection& connection, DeviceNid device, const TransactionKey& key);

}  // namespace causeway::db
