// HTTPS to others: name resolution, address policy, verified TLS, and a pool of kept-alive connections.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "homeserver/outbound/address_policy.hpp"
#include "homeserver/outbound/connection.hpp"
#include "homeserver/outbound/dns.hpp"
#include "homeserver/runtime/concurrency.hpp"

namespace causeway::outbound {

// Opens connections to targets whose resolved addresses the policy allows.
class Connector {
 public:
  Connector(Dns& dns, AddressPolicy policy, std::shared_ptr<asio::ssl::context> tls)
      : dns_(dns), policy_(std::move(policy)), tls_(std::move(tls)) {}
  // Tries the target's addresses in turn. M_UNKNOWN 502, M_FORBIDDEN 502 when no address may be connected to.
  Task<Result<std::unique_ptr<Connection>>> connect(Target target, Deadline deadline);

 private:
  Dns& dns_;
  AddressPolicy policy_;
  std::shared_ptr<asio::ssl::context> tls_;
};

struct PoolLimits {
  std::size_t connections_each = 8;
  std::size_t idle_connections = 1'000;  // over all
  std::size_t waiting_each = 256;        // requests; beyond: an error at once
  std::chrono::milliseconds idle_timeout{30'000};
};

class Pool {
 public:
  Pool(asio::any_io_executor reactor, Connector& connector, PoolLimits limits = {});
  ~Pool();

  // Where to connect to, in the order to be tried: asked only when no connection is kept.
  using Resolve = std::function<Task<std::vector<Target>>()>;
  // Connections are kept under `to`, which also names it in errors. Any status is a success here; errors are M_UNKNOWN
  // 502 (unreachable) or 504 (not answered in time).
  Task<Result<Response>> request(std::string to, Resolve resolve, Request request);

  // Closes idle connections and stops the sweep.
  void close();

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace causeway::outbound
