// Room aliases of this server, finding those of others, and the room directory.
//
// spec: client-server-api#room-aliases
#pragma once

#include <memory>
#include <set>
#include <string>

#include "homeserver/rooms/making/name_guard.hpp"
#include "homeserver/rooms/reader/room_reader.hpp"
#include "homeserver/rooms/remote_servers.hpp"
#include "homeserver/rooms/requests.hpp"
#include "homeserver/runtime/local_server.hpp"
#include "homeserver/stream/event_writer.hpp"

namespace causeway {

class Aliases {
 public:
  struct Services {
    db::Database& database;
    EventWriter& writer;
    RoomReader& reader;
    const BoundRemoteServers& remote;
    const LocalServer& self;
  };
  explicit Aliases(Services services) : services_(services) {}

  // M_INVALID_PARAM, M_UNKNOWN (409): there is one; M_NOT_FOUND, M_FORBIDDEN.
  Task<Result<>> create(Sender user, RoomAlias alias, RoomId room);
  // Whoever made it may, and whoever may change the room's canonical alias. M_NOT_FOUND, M_FORBIDDEN.
  Task<Result<>> remove(Sender user, RoomAlias alias);
  // Those of other servers too.
  Task<Result<ResolvedAlias>> resolve(RoomAlias alias);
  // In the room directory of this server. M_NOT_FOUND, M_FORBIDDEN.
  Task<Result<>> set_published(Sender user, RoomId room, bool published);

  // An alias of this server that is free, for whoever gives it to a room while they hold this; nullptr: it is taken.
  using Claim = std::unique_ptr<NameGuard>;
  Task<Claim> claim(RoomAlias alias);

 private:
  Services services_;
  std::set<std::string> under_way_;  // being given to a room
};

}  // namespace causeway
