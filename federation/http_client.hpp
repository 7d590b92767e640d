// HTTPS to other servers by their names: discovery says where they are, the rest is homeserver/outbound.
#pragma once

#include "federation/discovery.hpp"
#include "homeserver/outbound/pool.hpp"

namespace causeway::federation {

class HttpClient {
 public:
  HttpClient(asio::any_io_executor reactor, Discovery& discovery, outbound::Connector& connector,
             outbound::PoolLimits limits = {})
      : discovery_(discovery), pool_(std::move(reactor), connector, limits) {}

  // Any status is a success here; errors are M_UNKNOWN 502 (unreachable) or 504 (in time not answered).
  Task<Result<outbound::Response>> request(ServerName server, outbound::Request request) {
    auto resolve = [&discovery = discovery_, server] { return discovery.resolve(server); };
    return pool_.request(server.str(), std::move(resolve), std::move(request));
  }

  // Closes idle connections and stops the sweep.
  void close() { pool_.close(); }

 private:
  Discovery& discovery_;
  outbound::Pool pool_;
};

}  // namespace causeway::federation
