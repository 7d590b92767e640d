// m.room.server_acl: which servers may take part in a room.
//
// spec: client-server-api#server-access-control-lists-acls-for-rooms
#pragma once

#include <boost/json/object.hpp>
#include <string>
#include <vector>

#include "homeserver/rooms/reader/room_cache.hpp"
#include "homeserver/stream/committed.hpp"

namespace causeway {

// The content of one event, ready to be asked.
class ServerAcl {
 public:
  ServerAcl() = default;  // no such event: allows all
  explicit ServerAcl(const boost::json::object& content);
  bool allows(const ServerName& server) const;
  std::size_t heap_bytes() const;

 private:
  bool exists_ = false;
  bool allow_ip_literals_ = true;
  std::vector<std::string> allow_, deny_;  // in lower case
};

class ServerAclCache {
 public:
  ServerAclCache(RoomCache& rooms, Interner& interner, EventStore& events, StateStore& states);

  Task<bool> allows(ServerName server, RoomNid room);
  void committed(const Committed& facts);

 private:
  Task<std::shared_ptr<ServerAcl>> load(RoomNid nid);

  RoomCache& rooms_;
  Interner& interner_;
  EventStore& events_;
  StateStore& states_;
  StateKeyNid key_{};  // of the event; 0 until the first load
  LoadingCache<RoomNid, ServerAcl> acls_;
};

}  // namespace causeway
