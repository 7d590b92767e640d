// /.well-known/matrix/server: who a host has delegated to.
//
// spec: server-server-api#resolving-server-names step 3
#pragma once

#include <unordered_map>

#include "federation/discovery.hpp"
#include "federation/http_client.hpp"
#include "homeserver/runtime/clock.hpp"

namespace causeway::federation {

// How long a reply may be believed: its Cache-Control, else 24 hours; 48 hours at most, 5 minutes at least.
std::chrono::milliseconds cache_time(std::string_view cache_control);

// An HTTPS URL in parts; nothing for any other scheme or form. `location` may be relative to `base`.
struct HttpsUrl {
  ServerName authority;
  std::string target;
};
std::optional<HttpsUrl> follow(const HttpsUrl& base, std::string_view location);

class WellKnownClient final : public WellKnown {
 public:
  WellKnownClient(outbound::Connector& connector, const Clock& clock) : connector_(connector), clock_(clock) {}
  Task<std::optional<ServerName>> delegation(std::string host) override;

 private:
  struct Entry {
    std::optional<ServerName> delegated;
    std::chrono::steady_clock::time_point until;
    unsigned failures = 0;
  };
  Task<Result<outbound::Response>> fetch(std::string host);
  Entry& remember(const std::string& host, Result<outbound::Response> reply);
  void make_room();

  outbound::Connector& connector_;
  const Clock& clock_;
  std::unordered_map<std::string, Entry> entries_;
};

}  // namespace causeway::federation
