#include "homeserver/outbound/address_policy.hpp"

namespace causeway::outbound {

namespace {

// Ranges that are not the public Internet: IANA's special-purpose registries, and the forms of IPv6 that embed IPv4.
const std::vector<std::string> special_ranges = {
    "0.0.0.0/8",      "10.0.0.0/8",   "100.64.0.0/10",  "127.0.0.0/8",    "169.254.0.0/16", "172.16.0.0/12",
    "192.0.0.0/24",   "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15",  "198.51.100.0/24",
    "203.0.113.0/24", "224.0.0.0/4",  "240.0.0.0/4",    "::/96",          "64:ff9b::/96",   "64:ff9b:1::/48",
    "100::/64",       "2001::/23",    "2001:db8::/32",  "2002::/16",      "fc00::/7",       "fe80::/10",
    "fec0::/10",      "ff00::/8",
};

}  // namespace

AddressPolicy::AddressPolicy(const std::vector<std::string>& allowed_ranges, bool allow_all)
    : allowed_(allowed_ranges), special_(special_ranges), allow_all_(allow_all) {}

bool AddressPolicy::allows(const boost::asio::ip::address& address) const {
  return allow_all_ || allowed_.contains(address) || !special_.contains(address);
}

}  // namespace causeway::outbound
