// Read receipts: durable, on the stream.
#pragma once

#include "homeserver/rooms/room_reader.hpp"
#include "homeserver/stream/event_writer.hpp"

namespace causeway {

class ReceiptService {
 public:
  ReceiptService(db::Database& database, StreamHub& hub, EventWriter& writer, RoomReader& reader, const Clock& clock);
  ~ReceiptService();

  // m.read, m.read.private, m.fully_read (as account data). M_INVALID_PARAM, M_NOT_FOUND.
  Task<Result<>> set(UserNid user, UserId user_id, RoomInfoPtr room, std::string type, EventId event,
                     std::optional<std::string> thread_id);
  // From a peer: m.read of its own users. Stored, not sent on.
  Task<> receive(RoomInfoPtr room, UserId user, std::string type, EventId event, std::optional<std::string> thread_id,
                 Timestamp ts);

  struct Receipt {
    UserId user;
    std::string type, thread_id;
    EventId event;
    Timestamp ts = 0;
    StreamPosition position = 0;
  };
  // since < position <= until; another user's private receipts left out. From memory where recent enough.
  Task<std::vector<Receipt>> changed(RoomNid room, StreamPosition since, StreamPosition until, UserId for_user);
  StreamPosition last_in_room(RoomNid room) const;  // upper bound: nothing in the room is newer

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace causeway
