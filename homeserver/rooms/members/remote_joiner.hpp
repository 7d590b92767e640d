// Joining a room over federation: the snapshot that the resident server sends becomes the main line's state.
//
// spec: server-server-api#joining-rooms
#pragma once

#include "homeserver/rooms/head/room_purger.hpp"
#include "homeserver/rooms/receiving/inbound_events.hpp"
#include "homeserver/rooms/requests.hpp"
#include "homeserver/runtime/cpu_pool.hpp"

namespace causeway {

class RemoteJoiner {
 public:
  struct Services {
    Interner& interner;
    RoomHeads& heads;
    RoomBuilder& builder;
    const ForkedState::Services& forks;
    Outliers& outliers;
    InboundPlacer& placer;
    EventJudge& judge;
    InboundEvents& inbound;
    RoomPurger& purger;
    const BoundRemoteServers& remote;
    CpuPool& cpu;
    const Clock& clock;
    Metrics& metrics;
    const LocalServer& self;
  };
  explicit RemoteJoiner(Services services) : services_(services) {}

  // Events of the room that come meanwhile wait for its end (Receiver). M_NOT_FOUND: no server to ask; M_FORBIDDEN, and
  // what those servers answer. M_UNKNOWN (502): the answer can't be used, and nothing of it is stored.
  Task<Result<>> join(ChangeMembership request, boost::json::object content, std::vector<ServerName> servers);

 private:
  Task<Result<>> import(RoomId room, RemoteJoin joined);
  Task<Result<Outliers::Stored>> store_snapshot(RoomLock& lock, const RemoteJoin& joined);
  Task<Result<>> start_from_snapshot(RoomLock lock, const RemoteJoin& joined, Outliers::Stored outliers);

  Services services_;
};

}  // namespace causeway
