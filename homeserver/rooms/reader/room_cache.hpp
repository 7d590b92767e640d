// The committed heads of rooms.
#pragma once

#include "homeserver/rooms/reader/room_reader.hpp"
#include "homeserver/runtime/loading_cache.hpp"
#include "homeserver/stream/committed.hpp"

namespace causeway {

class RoomCache {
 public:
  explicit RoomCache(db::Database& database);

  Task<RoomInfoPtr> room(RoomId id);
  Task<RoomInfoPtr> room(RoomNid nid);
  Task<std::vector<RoomInfoPtr>> rooms(std::vector<RoomNid> nids);
  void committed(const Committed& facts);
  void forget(const RoomId& id, RoomNid room);

 private:
  using Loaded = std::vector<std::pair<RoomNid, std::shared_ptr<RoomInfo>>>;
  Task<std::shared_ptr<RoomInfo>> load(RoomNid nid);
  Task<Loaded> load(std::vector<RoomNid> nids);
  Task<std::shared_ptr<RoomNid>> find_nid(RoomId id);

  db::Database& database_;
  LoadingCache<RoomNid, RoomInfo> rooms_;
  LoadingCache<RoomId, RoomNid> nids_;  // changes only when a room is forgotten
};

}  // namespace causeway
