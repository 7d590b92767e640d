// Tables destinations and outbox_extra: how far each server has got with what it is owed. The outbox itself is the
// events table: local events of the rooms a server is in, and single events in outbox_extra.
#pragma once

#include <string>
#include <vector>

#include "schema/db/database.hpp"
#include "schema/matrix/ids.hpp"

namespace causeway::db {

struct DestinationRow {
  ServerNid server{};
  StreamPosition cursor = 0;           // it has everything up to here
  std::int64_t retry_interval_ms = 0;  // 0: healthy
  Timestamp retry_at_ts = 0;
};

// Those that have a row, in no order.
std::vector<DestinationRow> load_destinations(Connection& connection, const std::vector<ServerNid>& servers);

// Also drops what outbox_extra holds up to the cursors.
void save_destinations(Connection& connection, const std::vector<DestinationRow>& rows);

struct OutboxRow {
  StreamPosition position = 0;
  EventId event_id;
  std::string json;
};
// What a server is owed with after < position <= until, ascending, its own users' events left out.
std::vector<OutboxRow> outbox(Connection& connection, ServerNid server, StreamPosition after, StreamPosition until,
                              std::size_t limit);

// Public read receipts of our own users in the rooms the server is in, with after < position <= until: the oldest,
// ascending.
struct OwedReceipt {
  StreamPosition position = 0;
  RoomId room;
  UserId user;
  std::string thread_id;
  EventId event;
  Timestamp ts = 0;
};
std::vector<OwedReceipt> receipts_owed(Connection& connection, ServerNid self, ServerNid server, StreamPosition after,
                                       StreamPosition until, std::size_t limit);

// Servers with a number above `above` that are owed something up to `until`, ascending.
std::vector<ServerNid> servers_owed(Connection& connection, ServerNid above, StreamPosition until, std::size_t limit);

}  // namespace causeway::db
