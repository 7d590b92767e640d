#include "federation/servers_in_rooms.hpp"

#include <algorithm>

#include "homeserver/runtime/memory_use.hpp"

namespace causeway::federation {

namespace {
constexpr StreamPosition still_there = std::numeric_limits<StreamPosition>::max();
}

Task<std::vector<ServerNid>> ServersInRooms::at(RoomNid room, StreamPosition position, StreamPosition oldest) {
  if (!rooms_.contains(room)) {
    auto load = [room, oldest](db::Connection& c) { return db::room_servers(c, room, oldest); };
    auto loaded = co_await database_.run(std::move(load));
    if (bytes_ + bytes_of(loaded) > max_bytes_) forget_all();
    const auto [entry, added] = rooms_.try_emplace(room, std::move(loaded));
    if (added) bytes_ += bytes_of(entry->second);
  }
  std::vector<ServerNid> out;
  for (const auto& server : rooms_[room])
    if (server.from < position && position <= server.to) out.push_back(server.server);
  co_return out;
}

void ServersInRooms::joined(RoomNid room, ServerNid server, StreamPosition position) {
  const auto found = rooms_.find(room);
  if (found == rooms_.end()) return;
  bytes_ -= bytes_of(found->second);
  // Whoever left before this position will not be asked about again.
  std::erase_if(found->second, [&](const auto& entry) { return entry.to < position; });
  const auto is_there = [&](const auto& entry) { return entry.server == server && entry.to >= position; };
  if (std::none_of(found->second.begin(), found->second.end(), is_there))
    found->second.push_back({server, position, still_there});
  bytes_ += bytes_of(found->second);
}

void ServersInRooms::forget_all() {
  rooms_.clear();
  bytes_ = 0;
}

std::size_t ServersInRooms::bytes_of(const Servers& servers) {
  return 2 * node_bytes + servers.capacity() * sizeof(db::RoomServer);
}

void ServersInRooms::left(RoomNid room, ServerNid server, StreamPosition position) {
  const auto found = rooms_.find(room);
  if (found == rooms_.end()) return;
  for (auto& entry : found->second)
    if (entry.server == server && entry.to == still_there && entry.from < position) entry.to = position;
}

}  // namespace causeway::federation
