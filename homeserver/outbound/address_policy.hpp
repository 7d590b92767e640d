// Which addresses outbound requests may connect to: by default none that lead into the operator's own network.
#pragma once

#include <boost/asio/ip/address.hpp>
#include <string>
#include <vector>

#include "homeserver/http/address.hpp"

namespace causeway::outbound {

class AddressPolicy {
 public:
  // Addresses and CIDR ranges; throws std::invalid_argument naming the entry that is neither.
  AddressPolicy(const std::vector<std::string>& allowed_ranges, bool allow_all);
  // Asked of the very address that is about to be connected to, after name resolution.
  bool allows(const boost::asio::ip::address& address) const;

 private:
  http::AddressRanges allowed_;
  http::AddressRanges special_;
  bool allow_all_;
};

}  // namespace causeway::outbound
