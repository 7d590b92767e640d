#include "federation/address_policy.hpp"

#include <boost/asio/ip/address_v6.hpp>
#include <charconv>
#include <stdexcept>

namespace causeway::federation {

namespace {

namespace ip = boost::asio::ip;

// Ranges that are not the public Internet: IANA's special-purpose registries, and the forms of IPv6 that embed IPv4.
constexpr std::array special_ranges = {
    "0.0.0.0/8",      "10.0.0.0/8",   "100.64.0.0/10",  "127.0.0.0/8",    "169.254.0.0/16", "172.16.0.0/12",
    "192.0.0.0/24",   "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15",  "198.51.100.0/24",
    "203.0.113.0/24", "224.0.0.0/4",  "240.0.0.0/4",    "::/96",          "64:ff9b::/96",   "64:ff9b:1::/48",
    "100::/64",       "2001::/23",    "2001:db8::/32",  "2002::/16",      "fc00::/7",       "fe80::/10",
    "fec0::/10",      "ff00::/8",
};

std::array<unsigned char, 16> to_bytes(const ip::address& address) {
  if (address.is_v6()) return address.to_v6().to_bytes();
  return ip::make_address_v6(ip::v4_mapped, address.to_v4()).to_bytes();
}

}  // namespace

AddressRange AddressRange::parse(const std::string& text) {
  const auto slash = text.find('/');
  boost::system::error_code error;
  const auto address = ip::make_address(text.substr(0, slash), error);
  if (error) throw std::invalid_argument("not an address range: " + text);
  const unsigned width = address.is_v4() ? 32 : 128;
  unsigned bits = width;
  if (slash != std::string::npos) {
    const char* end = text.data() + text.size();
    const auto [stopped, failure] = std::from_chars(text.data() + slash + 1, end, bits);
    if (failure != std::errc{} || stopped != end || bits > width)
      throw std::invalid_argument("not an address range: " + text);
  }
  AddressRange range;
  range.prefix_ = to_bytes(address);
  range.bits_ = bits + (128 - width);
  return range;
}

bool AddressRange::contains(const ip::address& address) const {
  const auto bytes = to_bytes(address);
  for (unsigned i = 0; i < 16; ++i) {
    const unsigned left = bits_ > i * 8 ? bits_ - i * 8 : 0;
    if (left == 0) return true;
    const auto mask = left >= 8 ? 0xffu : (0xffu << (8 - left)) & 0xffu;
    if ((bytes[i] & mask) != (prefix_[i] & mask)) return false;
  }
  return true;
}

AddressPolicy::AddressPolicy(const std::vector<std::string>& allowed_ranges, bool allow_all) : allow_all_(allow_all) {
  for (const auto& text : allowed_ranges)
    allowed_.push_back(AddressRange::parse(text));
  for (const char* text : special_ranges)
    special_.push_back(AddressRange::parse(text));
}

bool AddressPolicy::allows(const ip::address& address) const {
  if (allow_all_) return true;
  const auto holds = [&](const AddressRange& range) { return range.contains(address); };
  if (std::any_of(allowed_.begin(), allowed_.end(), holds)) return true;
  return std::none_of(special_.begin(), special_.end(), holds);
}

}  // namespace causeway::federation
