// Which servers are owed an event of a room: the table room_servers in memory, kept current by the stream.
#pragma once

#include <unordered_map>
#include <vector>

#include "schema/async/task.hpp"
#include "schema/db/tables/room_servers.hpp"

namespace causeway::federation {

class ServersInRooms {
 public:
  explicit ServersInRooms(db::Database& database, std::size_t max_bytes = 32 << 20)
      : database_(database), max_bytes_(max_bytes) {}

  // In the room at that event: those that the event itself removed too, those that it brought not. `oldest`: no
  // position before it will be asked about any more.
  Task<std::vector<ServerNid>> at(RoomNid room, StreamPosition position, StreamPosition oldest);

  // Applied in the order of the stream; harmless when the room was loaded after the change.
  void joined(RoomNid room, ServerNid server, StreamPosition position);
  void left(RoomNid room, ServerNid server, StreamPosition position);
  void forget_all();

 private:
  using Servers = std::vector<db::RoomServer>;
  static std::size_t bytes_of(const Servers& servers);

  db::Database& database_;
  const std::size_t max_bytes_;
  std::size_t bytes_ = 0;
  std::unordered_map<RoomNid, Servers> rooms_;
};

}  // namespace causeway::federation
