// Server-to-server, in and out, as the composition root sees it. The parts are private to this folder: X-Matrix
// (request_auth), key ring, discovery, HTTP client, PDU checker, transaction intake, sender, and the endpoints.
#pragma once

#include <memory>

#include "homeserver/accounts/account_service.hpp"
#include "homeserver/http/server.hpp"
#include "homeserver/rooms/room_service.hpp"
#include "homeserver/runtime/local_server.hpp"
#include "homeserver/stream/stream_hub.hpp"
#include "homeserver/sync/receipts.hpp"
#include "homeserver/sync/typing.hpp"

namespace causeway::federation {

struct Settings {
  std::string extra_ca_pem;                 // trusted besides the system's; the PEM text
  std::vector<std::string> allowed_ranges;  // CIDR ranges that outbound requests may reach although private
  bool allow_all_addresses = false;
  std::chrono::milliseconds request_timeout{30'000};
  std::chrono::milliseconds first_retry{2'000};  // backoff doubles from here
  std::chrono::milliseconds max_retry{3'600'000};
  std::size_t max_response_bytes = 100u << 20;  // send_join of a large room
  std::chrono::milliseconds key_validity{24 * 3'600'000};
  std::vector<ServerName> trusted_key_servers;  // believed about the keys of servers that don't answer
};

class Federation final {
 public:
  struct Services {
    asio::any_io_executor reactor;
    db::Database& database;
    StreamHub& hub;
    Interner& interner;
    EventStore& events;
    RoomReader& reader;
    RoomService& rooms;
    AccountService& accounts;
    ReceiptService& receipts;
    TypingService& typing;
    CpuPool& cpu;
    const Clock& clock;
    Metrics& metrics;
    const LocalServer& self;
  };
  Federation(Services services, Settings settings);
  ~Federation();

  RemoteServers& remote();  // for RoomService::set_remote and client-api
  http::FederationAuthenticator& authenticator();
  void add_endpoints(http::Router& router);

  // Takes up staged PDUs and destinations' cursors where the last life left them.
  Task<> start();
  Task<> drain();  // ends retries and outbound transactions in flight

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace causeway::federation
