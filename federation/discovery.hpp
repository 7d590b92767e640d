// From a server name to where its server listens.
//
// spec: server-server-api#resolving-server-names
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "federation/dns.hpp"
#include "schema/async/task.hpp"
#include "schema/matrix/ids.hpp"

namespace causeway::federation {

// One place to connect to.
struct Target {
  std::string host;  // DNS name or IP literal (IPv6 without brackets) to resolve and connect to
  std::uint16_t port = 0;
  std::string host_header;
  std::string tls_name;  // what the certificate must be for: DNS name, or IP literal (then no SNI)
};

// Where delegation comes from: a seam, so that the steps can be tested without a network.
class WellKnown {
 public:
  virtual ~WellKnown() = default;
  // The name in m.server, or nothing when the host does not delegate (any error included). Cached.
  virtual Task<std::optional<ServerName>> delegation(std::string host) = 0;
};

class Discovery {
 public:
  Discovery(Dns& dns, WellKnown& well_known) : dns_(dns), well_known_(well_known) {}

  // In the order to be tried; never empty, at most 8. Names may turn out not to resolve when connected to.
  Task<std::vector<Target>> resolve(ServerName server);

 private:
  Task<std::vector<Target>> by_srv(std::string host, std::string host_header);
  Dns& dns_;
  WellKnown& well_known_;
};

}  // namespace causeway::federation
