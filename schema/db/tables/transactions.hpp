// Table `transactions`: what became of the requests that a client numbers, so that a retry gets the same event.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "schema/db/database.hpp"
#include "schema/matrix/ids.hpp"

namespace causeway::db {

using TransactionKey = std::array<unsigned char, 16>;  // of path and identifier

std::optional<EventId> find_transaction(Connection& connection, DeviceNid device, const TransactionKey& key);

// Deletes what is older than `retention_ms` in `max_blocks` blocks of the table, from `first_block` on. The block to go
// on from; none: that was the end. Rows lie in no order, so all blocks are walked, but no index has to be written for
// it.
std::optional<std::int64_t> delete_old_transactions(Connection& connection, std::int64_t retention_ms,
                                                    std::int64_t first_block, std::int64_t max_blocks);

}  // namespace causeway::db
