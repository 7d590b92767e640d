// Ephemeral data from other servers: typing and receipts. What does not check out is dropped and counted.
//
// spec: server-server-api#typing-notifications, server-server-api#receipts
#pragma once

#include <boost/json/object.hpp>

#include "homeserver/rooms/reader/room_reader.hpp"
#include "homeserver/runtime/metrics.hpp"
#include "homeserver/sync/receipts.hpp"
#include "homeserver/sync/typing.hpp"

namespace causeway::federation {

class Edus {
 public:
  Edus(RoomReader& reader, ReceiptService& receipts, TypingService& typing, Metrics& metrics)
      : reader_(reader), receipts_(receipts), typing_(typing), metrics_(metrics) {}
  Task<> handle(ServerName origin, boost::json::object edu);

 private:
  void drop(const char* reason);
  // nullptr unless this server is in it and its ACL lets the origin in.
  Task<RoomInfoPtr> open_room(ServerName origin, std::string room_id);
  Task<bool> is_joined_user_of(ServerName origin, RoomInfoPtr room, std::string user_id);
  Task<> typing(ServerName origin, boost::json::object content);
  Task<> receipts(ServerName origin, boost::json::object content);
  // Those of users of the origin who are in the room.
  Task<std::vector<ReceiptService::Received>> receipts_in(ServerName origin, RoomInfoPtr room,
                                                          boost::json::object by_user);
  RoomReader& reader_;
  ReceiptService& receipts_;
  TypingService& typing_;
  Metrics& metrics_;
};

}  // namespace causeway::federation
