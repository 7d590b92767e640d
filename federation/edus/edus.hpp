// Ephemeral data between servers. A kind of it is a file here with both directions, the text that is sent and what
// becomes of what is received, and a row of the table in edus.cpp.
#pragma once

#include <boost/json/object.hpp>
#include <span>
#include <string>
#include <string_view>

#include "homeserver/rooms/reader/room_reader.hpp"
#include "homeserver/runtime/metrics.hpp"
#include "homeserver/sync/receipts.hpp"
#include "homeserver/sync/typing.hpp"

namespace causeway::federation {

// What comes from other servers; what does not check out is dropped and counted.
class Edus {
 public:
  Edus(RoomReader& room_reader, ReceiptService& receipt_service, TypingService& typing_service, Metrics& metrics)
      : reader(room_reader), receipts(receipt_service), typing(typing_service), metrics_(metrics) {}

  Task<> handle(ServerName origin, boost::json::object edu);

  // For the kinds.
  void drop(const char* reason);
  // nullptr unless this server is in it and its ACL lets the origin in.
  Task<RoomInfoPtr> open_room(ServerName origin, std::string room_id);
  Task<bool> is_joined_user_of(ServerName origin, RoomInfoPtr room, std::string user_id);

  RoomReader& reader;
  ReceiptService& receipts;
  TypingService& typing;

 private:
  Metrics& metrics_;
};

struct EduKind {
  std::string_view type;
  Task<> (*receive)(Edus& edus, ServerName origin, boost::json::object content);
};

// As it stands in a transaction.
std::string edu_text(std::string_view type, boost::json::object content);

}  // namespace causeway::federation
