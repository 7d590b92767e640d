// Stored events as one client sees them: the stored bytes with the `unsigned` that depends on who asks.
//
// spec: client-server-api#room-event-format (UnsignedData)
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "homeserver/rooms/reader/room_reader.hpp"
#include "homeserver/runtime/clock.hpp"
#include "homeserver/stream/stream_hub.hpp"
#include "schema/events/client_event.hpp"

namespace causeway {

class EventSerializer {
 public:
  // Listens to the hub for the transaction identifiers of recent local events.
  EventSerializer(StreamHub& hub, EventStore& events, StateStore& states, RoomReader& reader, const Clock& clock);
  ~EventSerializer();

  struct Viewer {
    UserNid nid{};
    UserId user;
    DeviceNid device{};  // 0: none, no transaction_id
  };

  // A JSON array of the events, which are all of this room and which the viewer may see; order kept. `unsigned` holds
  // age, membership, transaction_id (same device), prev_content and replaces_state, redacted_because. Live messages
  // since the viewer's last membership change cost no round trip, nor do state events whose state is cached.
  Task<std::string> array(Viewer viewer, RoomInfoPtr room, std::vector<StoredEventPtr> events,
                          ClientEventFormat format);
  // The same one by one: element i is the JSON object of events[i].
  Task<std::vector<std::string>> objects(Viewer viewer, RoomInfoPtr room, std::vector<StoredEventPtr> events,
                                         ClientEventFormat format);
  Task<std::string> object(Viewer viewer, RoomInfoPtr room, StoredEventPtr event, ClientEventFormat format);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace causeway
