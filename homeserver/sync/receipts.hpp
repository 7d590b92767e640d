// Read receipts: durable, on the stream.
//
// spec: client-server-api#receipts, client-server-api#fully-read-markers
#pragma once

#include <unordered_map>

#include "homeserver/rooms/reader/room_reader.hpp"
#include "homeserver/runtime/clock.hpp"
#include "homeserver/stream/event_writer.hpp"
#include "homeserver/stream/stream_hub.hpp"

namespace causeway {

class ReceiptService {
 public:
  struct Services {
    db::Database& database;
    StreamHub& hub;
    EventWriter& writer;
    EventStore& events;
    RoomReader& reader;
    Interner& interner;
    const Clock& clock;
  };
  explicit ReceiptService(Services services);
  ~ReceiptService();

  // One marker of a user. Types: m.read, m.read.private, m.fully_read (kept as account data).
  struct Marker {
    std::string type;
    EventId event;
    std::optional<std::string> thread_id;
  };
  // Sets all of them in one commit. A marker that would go back is left where it is.
  // M_FORBIDDEN: not in the room. M_NOT_FOUND: no such event there. M_INVALID_PARAM: an unknown type, or a thread that
  // does not fit the type or the event.
  Task<Result<>> set(UserNid user, UserId user_id, RoomInfoPtr room, std::vector<Marker> markers);
  Task<Result<>> set(UserNid user, UserId user_id, RoomInfoPtr room, std::string type, EventId event,
                     std::optional<std::string> thread_id);

  // From peers: m.read of their own users. Stored in one commit, not sent on.
  struct Received {
    RoomInfoPtr room;
    UserId user;
    EventId event;
    std::optional<std::string> thread_id;
    Timestamp ts = 0;
  };
  Task<> receive(std::vector<Received> receipts);

  struct Receipt {
    UserId user;
    std::string type, thread_id;  // thread_id "": unthreaded
    EventId event;
    Timestamp ts = 0;
    StreamPosition position = 0;
  };
  using ByRoom = std::unordered_map<RoomNid, std::vector<Receipt>>;
  // since < position <= until, the last of each user, type and thread; another user's private receipts left out.
  // From memory where that reaches, else one round trip for all the rooms.
  Task<ByRoom> changed(std::vector<RoomNid> rooms, StreamPosition since, StreamPosition until, UserNid for_user);
  StreamPosition last_in_room(RoomNid room) const;  // upper bound: nothing in the room is newer

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace causeway
