// Which addresses outbound requests may connect to: by default none that lead into the operator's own network.
#pragma once

#include <array>
#include <boost/asio/ip/address.hpp>
#include <string>
#include <vector>

namespace causeway::federation {

// An address range; IPv4 is held as IPv4-mapped IPv6, so that ::ffff:10.0.0.1 does not slip through.
class AddressRange {
 public:
  // "10.0.0.0/8", "fd00::/8" or a single address. Throws std::invalid_argument naming the text.
  static AddressRange parse(const std::string& text);
  bool contains(const boost::asio::ip::address& address) const;

 private:
  std::array<unsigned char, 16> prefix_{};
  unsigned bits_ = 128;
};

class AddressPolicy {
 public:
  AddressPolicy(const std::vector<std::string>& allowed_ranges, bool allow_all);
  // Asked of the very address that is about to be connected to, after name resolution.
  bool allows(const boost::asio::ip::address& address) const;

 private:
  std::vector<AddressRange> allowed_;
  std::vector<AddressRange> special_;
  bool allow_all_;
};

}  // namespace causeway::federation
