#include "homeserver/http/address.hpp"

#include <charconv>
#include <stdexcept>

#include "homeserver/http/optional_whitespace.hpp"

namespace causeway::http {
namespace {

namespace ip = boost::asio::ip;

ip::address_v6::bytes_type to_bytes(const ip::address& address) {
  return address.is_v4() ? ip::make_address_v6(ip::v4_mapped, address.to_v4()).to_bytes() : address.to_v6().to_bytes();
}

std::optional<ip::address> parse_address(std::string_view text) {
  boost::system::error_code error;
  auto address = ip::make_address(std::string(text), error);
  if (error) return std::nullopt;
  return canonical_address(address);
}

// One entry of X-Forwarded-For; some proxies add a port: "1.2.3.4:5678", "[::1]:5678".
std::optional<ip::address> parse_forwarded(std::string_view entry) {
  if (auto address = parse_address(entry)) return address;
  if (entry.starts_with('[')) return parse_address(entry.substr(1, entry.find(']') - 1));
  return parse_address(entry.substr(0, entry.find(':')));
}

}  // namespace

AddressRanges::AddressRanges(const std::vector<std::string>& entries) {
  for (const auto& entry : entries) {
    const std::size_t slash = entry.find('/');
    const auto address = parse_address(std::string_view(entry).substr(0, slash));
    if (!address) throw std::invalid_argument("\"" + entry + "\" is not an address or a CIDR range");
    const unsigned width = address->is_v4() ? 32 : 128;
    unsigned bits = width;
    if (slash != std::string::npos) {
      const char* end = entry.data() + entry.size();
      const auto [rest, error] = std::from_chars(entry.data() + slash + 1, end, bits);
      if (error != std::errc() || rest != end || bits > width)
        throw std::invalid_argument("\"" + entry + "\" has no valid prefix length");
    }
    ranges_.push_back({to_bytes(*address), bits + (128 - width)});
  }
}

bool AddressRanges::contains(const ip::address& address) const {
  const auto bytes = to_bytes(address);
  for (const auto& range : ranges_) {
    const std::size_t whole = range.bits / 8;
    const unsigned mask = (0xff00u >> (range.bits % 8)) & 0xffu;
    if (!std::equal(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(whole), range.prefix.begin())) continue;
    if (mask == 0 || (bytes[whole] & mask) == (range.prefix[whole] & mask)) return true;
  }
  return false;
}

ip::address canonical_address(const ip::address& address) {
  if (address.is_v6() && address.to_v6().is_v4_mapped()) return ip::make_address_v4(ip::v4_mapped, address.to_v6());
  return address;
}

ip::address client_address(const ip::address& peer, std::string_view forwarded_for,
                           const AddressRanges& trusted_proxies) {
  auto client = canonical_address(peer);
  while (!forwarded_for.empty() && trusted_proxies.contains(client)) {
    const std::size_t comma = forwarded_for.rfind(',');
    const bool last = comma == std::string_view::npos;
    const auto previous = parse_forwarded(trim_whitespace(last ? forwarded_for : forwarded_for.substr(comma + 1)));
    if (!previous) break;
    client = *previous;
    forwarded_for = last ? std::string_view() : forwarded_for.substr(0, comma);
  }
  return client;
}

std::string rate_limit_key(const ip::address& address) {
  const auto bytes = to_bytes(address);
  // a mapped IPv4 address differs from the next only in its last bytes
  const std::size_t significant = canonical_address(address).is_v4() ? bytes.size() : 8;
  return std::string(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(significant));
}

}  // namespace causeway::http
