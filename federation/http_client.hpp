// HTTPS to other servers by their names: discovery, address policy, verified TLS, and a pool of kept-alive connections.
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "federation/address_policy.hpp"
#include "federation/discovery.hpp"
#include "federation/https_connection.hpp"
#include "homeserver/runtime/concurrency.hpp"

namespace causeway::federation {

// Opens connections to targets whose resolved addresses the policy allows.
class Connector {
 public:
  Connector(Dns& dns, AddressPolicy policy, std::shared_ptr<asio::ssl::context> tls)
      : dns_(dns), policy_(std::move(policy)), tls_(std::move(tls)) {}
  // Tries the target's addresses in turn. M_UNKNOWN 502, M_FORBIDDEN 502 when no address may be connected to.
  Task<Result<std::unique_ptr<HttpsConnection>>> connect(Target target, Deadline deadline);

 private:
  Dns& dns_;
  AddressPolicy policy_;
  std::shared_ptr<asio::ssl::context> tls_;
};

struct PoolLimits {
  std::size_t connections_per_server = 8;
  std::size_t idle_connections = 1'000;  // over all servers
  std::size_t waiting_per_server = 256;  // requests; beyond: an error at once
  std::chrono::milliseconds idle_timeout{30'000};
};

class HttpClient {
 public:
  HttpClient(asio::any_io_executor reactor, Discovery& discovery, Connector& connector, PoolLimits limits = {});
  ~HttpClient();

  // Any status is a success here; errors are M_UNKNOWN 502 (unreachable) or 504 (in time not answered).
  Task<Result<OutboundResponse>> request(ServerName server, OutboundRequest request);

  // Closes idle connections and stops the sweep.
  void close();

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace causeway::federation
