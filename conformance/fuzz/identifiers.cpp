// One text read as every kind of identifier. What is accepted can be taken apart, stored and read again.
#include "conformance/fuzz/fuzzer.hpp"
#include "schema/matrix/assert.hpp"
#include "schema/matrix/ids.hpp"

namespace causeway::fuzz {

namespace {

// Reads `text`; nothing if it is no such identifier.
template <class Id>
std::optional<Id> read(std::string_view text) {
  const auto id = Id::parse(text);
  if (!id) return std::nullopt;
  CAUSEWAY_ASSERT(id->str() == text);
  CAUSEWAY_ASSERT(text.size() <= max_identifier_bytes);
  CAUSEWAY_ASSERT(text.find('\0') == std::string_view::npos);
  CAUSEWAY_ASSERT(Id::parse(id->str()).value() == *id);
  return *id;
}

// spec: appendices#server-name: the characters that any of its forms can have.
bool has_only_characters_of_server_names(std::string_view text) {
  return std::ranges::all_of(text, [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           std::string_view("-.:[]").find(c) != std::string_view::npos;
  });
}

void check_server_name(std::string_view text) {
  const auto server = read<ServerName>(text);
  if (!server) return;
  CAUSEWAY_ASSERT(has_only_characters_of_server_names(text));
  const bool ipv6 = text.front() == '[';
  CAUSEWAY_ASSERT(!ipv6 || server->is_ip_literal());
  CAUSEWAY_ASSERT(!server->host().empty());
  const std::string host(server->host());
  const std::string_view rest = text.substr(host.size() + (ipv6 ? 2 : 0));
  CAUSEWAY_ASSERT((ipv6 ? '[' + host + ']' : host) + std::string(rest) == text);
  CAUSEWAY_ASSERT(rest.empty() != server->port().has_value());
  if (server->port()) CAUSEWAY_ASSERT(std::stoul(std::string(rest.substr(1))) == *server->port());
}

// The part behind the first colon is a server's name.
template <class Id>
void check_domain(const Id& id) {
  const std::string_view text = id.str();
  const std::size_t colon = text.find(':');
  CAUSEWAY_ASSERT(id.server() == (colon == std::string_view::npos ? "" : text.substr(colon + 1)));
  if (colon != std::string_view::npos) CAUSEWAY_ASSERT(ServerName::parse(id.server()));
}

void check_user_id(std::string_view text) {
  const auto user = read<UserId>(text);
  if (!user) return;
  check_domain(*user);
  CAUSEWAY_ASSERT('@' + std::string(user->localpart()) + ':' + std::string(user->server()) == text);
  CAUSEWAY_ASSERT(ServerName::parse(user->server_name().str()));
}

void check_event_id(std::string_view text) {
  const auto event = read<EventId>(text);
  if (!event) return;
  CAUSEWAY_ASSERT(EventId::from_db(event->to_db()) == *event);
}

void check_localpart(std::string_view text) {
  if (!is_strict_localpart(text)) return;
  const std::string user = '@' + std::string(text) + ":a";
  CAUSEWAY_ASSERT(UserId::parse(user).has_value() == (user.size() <= max_identifier_bytes));
}

}  // namespace

void run(std::string_view input) {
  check_server_name(input);
  check_user_id(input);
  check_event_id(input);
  check_localpart(input);
  if (const auto room = read<RoomId>(input)) check_domain(*room);
  if (const auto alias = read<RoomAlias>(input)) check_domain(*alias);
  if (input.empty()) return;
  check_server_name(input.substr(1));  // so that seeds of one kind help another
  for (const char sigil : {'@', '!', '#', '$'}) {
    const std::string other = sigil + std::string(input.substr(1));
    check_user_id(other);
    check_event_id(other);
  }
}

}  // namespace causeway::fuzz
