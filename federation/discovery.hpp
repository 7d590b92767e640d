// From a server name to where its server listens.
//
// spec: server-server-api#resolving-server-names
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "homeserver/outbound/connection.hpp"
#include "homeserver/outbound/dns.hpp"
#include "schema/async/task.hpp"
#include "schema/matrix/ids.hpp"

namespace causeway::federation {

// Where delegation comes from: a seam, so that the steps can be tested without a network.
class WellKnown {
 public:
  virtual ~WellKnown() = default;
  // The name in m.server, or nothing when the host does not delegate (any error included). Cached.
  virtual Task<std::optional<ServerName>> delegation(std::string host) = 0;
};

class Discovery {
 public:
  Discovery(outbound::Dns& dns, WellKnown& well_known) : dns_(dns), well_known_(well_known) {}

  // In the order to be tried; never empty, at most 8. Names may turn out not to resolve when connected to.
  Task<std::vector<outbound::Target>> resolve(ServerName server);

 private:
  Task<std::vector<outbound::Target>> by_srv(std::string host, std::string host_header);
  outbound::Dns& dns_;
  WellKnown& well_known_;
};

}  // namespace causeway::federation
