// Gets local events to the servers that are owed them, in order, each destination at its own pace.
//
// The outbox is the events table and a durable cursor per destination. In the steady state nothing is read from it:
// what is committed is handed on in memory, and a destination reads the database only after it fell behind or after a
// start. spec: server-server-api#transactions
#pragma once

#include <memory>

#include "federation/signed_client.hpp"
#include "homeserver/outbound/backoff.hpp"
#include "homeserver/rooms/reader/room_reader.hpp"
#include "homeserver/runtime/local_server.hpp"
#include "homeserver/stream/stream_hub.hpp"
#include "homeserver/sync/typing.hpp"

namespace causeway::federation {

class Sender {
 public:
  struct Services {
    asio::any_io_executor reactor;
    db::Database& database;
    StreamHub& hub;
    Interner& interner;
    RoomReader& reader;
    TypingService& typing;
    SignedClient& client;
    const Clock& clock;
    Metrics& metrics;
    const LocalServer& self;
  };
  // Listens to the hub and to typing.
  Sender(Services services, outbound::Backoff backoff, std::chrono::milliseconds request_timeout);
  ~Sender();

  // Begins to take up every destination that is owed something.
  Task<> start();

  // The server is alive: try it again at once if it was given up for a while.
  void encourage(const ServerName& server);

  // Lets transactions in flight end, for a moment, and saves the cursors.
  Task<> drain();

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace causeway::federation
