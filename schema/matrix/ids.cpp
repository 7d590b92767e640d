#include "schema/matrix/ids.hpp"

#include <arpa/inet.h>

#include <charconv>

#include "schema/crypto/crypto.hpp"
#include "schema/matrix/assert.hpp"

namespace causeway {

namespace {

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_alnum(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

MatrixError invalid(std::string_view what, std::string_view why) {
  return make_error(ErrorCode::invalid_param, std::string(what) + " " + std::string(why) + ".");
}

bool is_ipv6(std::string_view text) {
  in6_addr parsed;
  if (text.find('\0') != std::string_view::npos) return false;  // where inet_pton would stop reading
  return inet_pton(AF_INET6, std::string(text).c_str(), &parsed) == 1;
}

bool is_ipv4(std::string_view text) {
  in_addr parsed;
  return inet_pton(AF_INET, std::string(text).c_str(), &parsed) == 1;
}

// spec: appendices#server-name
bool is_hostname(std::string_view text) {
  return !text.empty() && text.size() <= 255 &&
         std::ranges::all_of(text, [](char c) { return is_alnum(c) || c == '-' || c == '.'; });
}

bool is_port(std::string_view text) {
  unsigned port = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  return !text.empty() && text.size() <= 5 && error == std::errc() && end == text.data() + text.size() && port <= 65535;
}

struct ServerParts {
  std::string_view host;  // IPv6 with brackets
  std::string_view port;  // empty: none
  bool has_port = false;
};

ServerParts split(std::string_view text) {
  const std::size_t host_end = text.starts_with('[') ? text.find(']') : 0;
  if (host_end == std::string_view::npos) return {text, {}, false};
  const std::size_t colon = text.find(':', host_end);
  if (colon == std::string_view::npos) return {text, {}, false};
  return {text.substr(0, colon), text.substr(colon + 1), true};
}

bool is_server_name(std::string_view text) {
  if (text.empty() || text.size() > max_identifier_bytes) return false;
  const ServerParts parts = split(text);
  if (parts.has_port && !is_port(parts.port)) return false;
  if (parts.host.starts_with('['))
    return parts.host.ends_with(']') && is_ipv6(parts.host.substr(1, parts.host.size() - 2));
  return is_hostname(parts.host);
}

// sigil, something without NUL, ':', server name.

std::optional<MatrixError> check_domain_id(std::string_view text, char sigil, std::string_view what,
                                           bool empty_local_ok) {
  if (text.size() > max_identifier_bytes) return invalid(what, "is longer than 255 bytes");
  if (text.empty() || text.front() != sigil) return invalid(what, std::string("must begin with '") + sigil + "'");
  const std::size_t colon = text.find(':');
  if (colon == std::string_view::npos) return invalid(what, "has no server name");
  if (colon == 1 && !empty_local_ok) return invalid(what, "has nothing before its server name");
  if (text.substr(0, colon).find('\0') != std::string_view::npos) return invalid(what, "contains a NUL character");
  if (!is_server_name(text.substr(colon + 1))) return invalid(what, "does not name a valid server");
  return std::nullopt;
}

std::string_view after_colon(std::string_view text) {
  const std::size_t colon = text.find(':');
  return colon == std::string_view::npos ? std::string_view() : text.substr(colon + 1);
}

bool is_url_safe_base64(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return is_alnum(c) || c == '-' || c == '_'; });
}

constexpr std::size_t hash_id_size = 44;  // sigil and 43 characters for 32 bytes

}  // namespace

Result<ServerName> ServerName::parse(std::string_view text) {
  if (!is_server_name(text)) return invalid("The server name", "is not valid");
  return ServerName(std::string(text));
}

std::string_view ServerName::host() const {
  std::string_view host = split(str()).host;
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  return host;
}

std::optional<std::uint16_t> ServerName::port() const {
  const ServerParts parts = split(str());
  if (!parts.has_port) return std::nullopt;
  std::uint16_t port = 0;
  std::from_chars(parts.port.data(), parts.port.data() + parts.port.size(), port);
  return port;
}

bool ServerName::is_ip_literal() const {
  return str().starts_with('[') || is_ipv4(host());
}

Result<UserId> UserId::parse(std::string_view text) {
  // An empty localpart is a historical form. spec: appendices#historical-user-ids
  if (auto error = check_domain_id(text, '@', "The user ID", true)) return *error;
  return UserId(std::string(text));
}

std::string_view UserId::localpart() const {
  const std::string_view text = str();
  return text.empty() ? text : text.substr(1, text.find(':') - 1);
}

std::string_view UserId::server() const {
  return after_colon(str());
}

bool is_strict_localpart(std::string_view localpart) {
  return !localpart.empty() && std::ranges::all_of(localpart, [](char c) {
    return (c >= 'a' && c <= 'z') || is_digit(c) || c == '.' || c == '_' || c == '=' || c == '-' || c == '/' ||
           c == '+';
  });
}

Result<RoomId> RoomId::parse(std::string_view text) {
  if (text.size() > max_identifier_bytes) return invalid("The room ID", "is longer than 255 bytes");
  if (text.size() < 2 || text.front() != '!') return invalid("The room ID", "must begin with '!'");
  if (text.find('\0') != std::string_view::npos) return invalid("The room ID", "contains a NUL character");
  const std::size_t colon = text.find(':');
  // spec: appendices#room-ids: without a domain it is the hash of the create event.
  const bool valid = colon == std::string_view::npos ? text.size() == hash_id_size && is_url_safe_base64(text.substr(1))
                                                     : colon > 1 && is_server_name(text.substr(colon + 1));
  if (!valid) return invalid("The room ID", "is not valid");
  return RoomId(std::string(text));
}

std::string_view RoomId::server() const {
  return after_colon(str());
}

Result<RoomAlias> RoomAlias::parse(std::string_view text) {
  if (auto error = check_domain_id(text, '#', "The room alias", false)) return *error;
  return RoomAlias(std::string(text));
}

std::string_view RoomAlias::server() const {
  return after_colon(str());
}

Result<EventId> EventId::parse(std::string_view text) {
  if (text.size() > max_identifier_bytes) return invalid("The event ID", "is longer than 255 bytes");
  if (text.size() < 2 || text.front() != '$') return invalid("The event ID", "must begin with '$'");
  if (text.find('\0') != std::string_view::npos) return invalid("The event ID", "contains a NUL character");
  return EventId(std::string(text));
}

EventId EventId::from_hash(std::span<const unsigned char, 32> hash) {
  return EventId("$" + crypto::base64_url(crypto::as_view(hash)));
}

EventId EventId::from_hash_standard(std::span<const unsigned char, 32> hash) {
  return EventId("$" + crypto::base64(crypto::as_view(hash)));
}

std::string_view EventId::server() const {
  return after_colon(str());
}

std::string EventId::to_db() const {
  const std::string_view text = str();
  if (text.size() == hash_id_size && is_url_safe_base64(text.substr(1))) {
    auto raw = crypto::base64_url_decode(text.substr(1));
    // Only the canonical spelling: the last character carries unused bits.
    if (raw && raw->size() == 32 && crypto::base64_url(*raw) == text.substr(1)) return *raw;
  }
  std::string out(1, '\0');
  out += text;
  if (out.size() == 32) out += '\0';
  return out;
}

EventId EventId::from_db(std::string_view bytes) {
  if (bytes.size() == 32) return EventId("$" + crypto::base64_url(bytes));
  CAUSEWAY_ASSERT(!bytes.empty() && bytes.front() == '\0');
  bytes.remove_prefix(1);
  if (!bytes.empty() && bytes.back() == '\0') bytes.remove_suffix(1);
  return EventId(std::string(bytes));
}

}  // namespace causeway
