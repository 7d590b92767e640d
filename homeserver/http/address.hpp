// Internet addresses: ranges of them, and who the client behind a chain of proxies is.
#pragma once

#include <boost/asio/ip/address.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace causeway::http {

// Addresses ("10.1.2.3", "::1") and CIDR ranges ("10.0.0.0/8", "fd00::/8"). An IPv4 address mapped into IPv6 counts as
// itself.
class AddressRanges {
 public:
  AddressRanges() = default;
  // Throws std::invalid_argument naming the entry that is neither.
  explicit AddressRanges(const std::vector<std::string>& entries);
  bool contains(const boost::asio::ip::address& address) const;

 private:
  struct Range {
    boost::asio::ip::address_v6::bytes_type prefix;
    unsigned bits;
  };
  std::vector<Range> ranges_;
};

// IPv4 mapped into IPv6 becomes IPv4 again.
boost::asio::ip::address canonical_address(const boost::asio::ip::address& address);

// Who sent a request that came from `peer` with this X-Forwarded-For: the header's entries are believed from the right,
// as long as the one who appended them is trusted.
boost::asio::ip::address client_address(const boost::asio::ip::address& peer, std::string_view forwarded_for,
                                        const AddressRanges& trusted_proxies);

// What rate limits count as one client: an IPv4 address, or an IPv6 /64, which is what one customer gets.
std::string rate_limit_key(const boost::asio::ip::address& address);

}  // namespace causeway::http
