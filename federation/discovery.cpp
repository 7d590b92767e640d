#include "federation/discovery.hpp"
#include "schema/log.hpp"

namespace causeway::federation {

namespace {

constexpr std::uint16_t default_port = 8448;
constexpr std::size_t max_targets = 8;

// Steps 1 and 2, and their likes 3.1 and 3.2: the name itself says where to go.
std::optional<outbound::Target> direct(const ServerName& server) {
  if (!server.is_ip_literal() && !server.port()) return std::nullopt;
  std::string host(server.host());
  return outbound::Target{host, server.port().value_or(default_port), server.str(), host};
}

}  // namespace

Task<std::vector<outbound::Target>> Discovery::resolve(ServerName server) {
  std::vector<outbound::Target> targets;
  if (auto target = direct(server)) {
    targets.push_back(std::move(*target));
    co_return targets;
  }
  std::string host(server.host());
  if (auto delegated = co_await well_known_.delegation(host)) {
    if (auto target = direct(*delegated)) {
      targets.push_back(std::move(*target));
      co_return targets;
    }
    host = std::string(delegated->host());
  }
  co_return co_await by_srv(host, host);
}

// Steps 3.3 to 3.5 and 4 to 6. A look-up that fails counts as one that found nothing: the fallback may still work.
Task<std::vector<outbound::Target>> Discovery::by_srv(std::string host, std::string host_header) {
  std::vector<outbound::Target> targets;
  for (const char* service : {"_matrix-fed._tcp.", "_matrix._tcp."}) {
    std::string name = service + host;
    auto found = co_await dns_.srv(name);
    if (!found) {
      log::debug("federation: SRV {}: {}", name, found.error().message);
      continue;
    }
    for (auto& record : outbound::in_order(std::move(*found))) {
      if (record.target.empty() || record.target == ".") continue;  // "decidedly not available"
      targets.push_back(outbound::Target{record.target, record.port, host_header, host});
      if (targets.size() == max_targets) break;
    }
    if (!targets.empty()) co_return targets;
  }
  targets.push_back(outbound::Target{host, default_port, host_header, host});
  co_return targets;
}

}  // namespace causeway::federation
