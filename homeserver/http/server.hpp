// The HTTP server: listeners, connections and the pipeline that every request goes through.
//
// Order, for every request: parse with limits -> OPTIONS and unknown paths -> request id -> limit per address ->
// authentication -> limit per user or origin -> a place among what is worked on -> handler with a deadline -> one place
// turns errors into replies -> compression, CORS, log line, metrics.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "homeserver/http/admission.hpp"
#include "homeserver/http/endpoint.hpp"
#include "homeserver/http/message.hpp"
#include "homeserver/runtime/clock.hpp"
#include "homeserver/runtime/cpu_pool.hpp"
#include "homeserver/runtime/metrics.hpp"
#include "schema/async/task.hpp"

namespace causeway::http {

struct ListenerSettings {
  std::string address = "127.0.0.1";
  std::uint16_t port = 8008;  // 0: any free port (tests)
  bool tls = false;
  std::string certificate_pem;  // the PEM text itself, chain included; read by the privileged parent
  std::string key_pem;
};

// A bucket holds `burst` requests and gains `per_second`. per_second 0: no limit.
struct RateLimit {
  double per_second = 0;
  double burst = 0;
};

struct RateLimits {
  RateLimit address{50, 200};  // every request, per client address (or /64)
  RateLimit read{50, 100};     // these per user, or per address when nobody is logged in
  RateLimit write{10, 50};
  RateLimit message{10, 50};
  RateLimit login{0.5, 10};
  RateLimit join{2, 20};
  RateLimit federation{200, 1000};  // per origin
};

struct ServerSettings {
  std::vector<ListenerSettings> listeners;
  std::size_t max_connections = 20'000;
  std::size_t max_header_bytes = 16 * kib;
  std::chrono::milliseconds header_timeout{10'000};
  std::chrono::milliseconds body_timeout{30'000};   // longer for a body that keeps coming, 8 KiB a second at least
  std::chrono::milliseconds write_timeout{60'000};  // for each 256 KiB
  std::chrono::milliseconds idle_timeout{75'000};
  std::chrono::milliseconds handler_timeout{180'000};
  std::chrono::milliseconds streamed_handler_timeout{3'600'000};  // of handlers that take the body as it comes
  std::size_t compress_from_bytes = 1400;
  std::vector<std::string> trusted_proxies;  // addresses or CIDR ranges whose X-Forwarded-For counts
  bool rate_limits_enabled = true;
  RateLimits rate_limits;
  AdmissionSettings admission = usual_admission(2, 4);
  // Replies that clients are slow to take: beyond, those who take theirs the slowest are cut off.
  std::size_t max_unsent_bytes = 256 * 1024 * kib;
};

// How the pipeline learns who is asking. Implemented by accounts and by federation.
class AccessTokenAuthenticator {
 public:
  virtual ~AccessTokenAuthenticator() = default;
  // None: it is no token of the kind that this one gives out. M_UNKNOWN_TOKEN (401): it may have been one.
  virtual Task<std::optional<Result<Requester>>> authenticate_token(std::string token, const Request& request) = 0;
};
// Asked in this order, until one knows the kind of token.
using AccessTokenAuthenticators = std::vector<AccessTokenAuthenticator*>;
class FederationAuthenticator {
 public:
  virtual ~FederationAuthenticator() = default;
  // From the Authorization headers, the method, the target and the body. M_UNAUTHORIZED (401).
  virtual Task<Result<ServerName>> authenticate_origin(const Request& request) = 0;
};

class Server {
 public:
  // Everything referenced must outlive the server.
  Server(asio::any_io_executor executor, ServerSettings settings, const Router& router, AccessTokenAuthenticators users,
         FederationAuthenticator& servers, CpuPool& cpu, const Clock& clock, Metrics& metrics);
  ~Server();

  // Binds and listens; throws std::runtime_error naming the address. Returns the bound ports in the order of the
  // listeners.
  std::vector<std::uint16_t> listen();

  // Replaces the certificate of every TLS listener for connections made from now on. Throws without changing anything
  // when a pair does not load or does not match.
  void reload_certificates(const std::vector<ListenerSettings>& listeners);

  // Stops accepting, lets requests in flight end (up to `grace`), closes idle connections. Long-polls end when their
  // services are told to drain, which is the caller's business beforehand.
  Task<> drain(std::chrono::milliseconds grace);

  std::size_t open_connections() const;

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace causeway::http
