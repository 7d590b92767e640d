// Who sent an inbound request: checks X-Matrix signatures.
#pragma once

#include <functional>

#include "federation/key_ring.hpp"
#include "homeserver/http/server.hpp"
#include "homeserver/runtime/local_server.hpp"
#include "homeserver/runtime/metrics.hpp"

namespace causeway::federation {

class RequestAuth final : public http::FederationAuthenticator {
 public:
  // `seen` is told of every server that proved to be itself: a reason to try it again if it was given up.
  RequestAuth(KeyRing& keys, CpuPool& cpu, const LocalServer& self, Metrics& metrics,
              std::function<void(const ServerName&)> seen)
      : keys_(keys), cpu_(cpu), self_(self), metrics_(metrics), seen_(std::move(seen)) {}

  Task<Result<ServerName>> authenticate_origin(const http::Request& request) override;

 private:
  // M_UNAUTHORIZED, and counted.
  MatrixError refusal(const char* reason, std::string why);
  KeyRing& keys_;
  CpuPool& cpu_;
  const LocalServer& self_;
  Metrics& metrics_;
  std::function<void(const ServerName&)> seen_;
};

}  // namespace causeway::federation
