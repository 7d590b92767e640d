// Matrix identifiers as distinct, validated types, and the 64-bit numbers that stand for them inside.
//
// spec: appendices#identifier-grammar
#pragma once

#include <compare>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "schema/matrix/error.hpp"

namespace causeway {

// No identifier with a sigil is longer than this, sigil and domain included.
inline constexpr std::size_t max_identifier_bytes = 255;

// A string known to have the form of its type. `parse` is for anything from outside; `trusted` for what we stored or
// built ourselves (asserts only that the sigil is right).
template <class Derived>
class Identifier {
 public:
  const std::string& str() const { return value_; }
  bool empty() const { return value_.empty(); }
  friend bool operator==(const Derived& a, const Derived& b) { return a.str() == b.str(); }
  friend std::strong_ordering operator<=>(const Derived& a, const Derived& b) { return a.str() <=> b.str(); }

 protected:
  Identifier() = default;
  explicit Identifier(std::string value) : value_(std::move(value)) {}

 private:
  std::string value_;
};

// host[:port]; DNS name, IPv4 or [IPv6]. Case-sensitive as an identifier.
class ServerName : public Identifier<ServerName> {
 public:
  ServerName() = default;
  static Result<ServerName> parse(std::string_view text);
  static ServerName trusted(std::string text) { return ServerName(std::move(text)); }
  std::string_view host() const;  // without port, IPv6 without brackets
  std::optional<std::uint16_t> port() const;
  bool is_ip_literal() const;

 private:
  explicit ServerName(std::string v) : Identifier(std::move(v)) {}
};

// @localpart:server. Historical localparts (any bytes but ':' and NUL) are accepted; see `is_strict_localpart`.
class UserId : public Identifier<UserId> {
 public:
  UserId() = default;
  static Result<UserId> parse(std::string_view text);
  static UserId trusted(std::string text) { return UserId(std::move(text)); }
  std::string_view localpart() const;
  std::string_view server() const;  // the domain as text
  ServerName server_name() const { return ServerName::trusted(std::string(server())); }

 private:
  explicit UserId(std::string v) : Identifier(std::move(v)) {}
};

// spec: appendices#user-identifiers: a-z 0-9 . _ = - / +, not empty; what new local users may have.
bool is_strict_localpart(std::string_view localpart);

// !opaque:server, or from room version 12 on !hash without a domain.
class RoomId : public Identifier<RoomId> {
 public:
  RoomId() = default;
  static Result<RoomId> parse(std::string_view text);
  static RoomId trusted(std::string text) { return RoomId(std::move(text)); }
  std::string_view server() const;  // empty from room version 12 on

 private:
  explicit RoomId(std::string v) : Identifier(std::move(v)) {}
};

// #alias:server
class RoomAlias : public Identifier<RoomAlias> {
 public:
  RoomAlias() = default;
  static Result<RoomAlias> parse(std::string_view text);
  static RoomAlias trusted(std::string text) { return RoomAlias(std::move(text)); }
  std::string_view server() const;

 private:
  explicit RoomAlias(std::string v) : Identifier(std::move(v)) {}
};

// $hash (room version 3 on) or $opaque:server (1 and 2).
class EventId : public Identifier<EventId> {
 public:
  EventId() = default;
  static Result<EventId> parse(std::string_view text);
  static EventId trusted(std::string text) { return EventId(std::move(text)); }
  // $ + unpadded base64 of 32 bytes: URL-safe (room version 4 on) or with the standard alphabet (3).
  static EventId from_hash(std::span<const unsigned char, 32> hash);
  static EventId from_hash_standard(std::span<const unsigned char, 32> hash);
  std::string_view server() const;  // empty from room version 3 on

  // What a bytea column holds: the 32 raw bytes where the ID is the canonical spelling of a hash, else the text after a
  // zero byte (and never 32 bytes long). `from_db` is its inverse.
  std::string to_db() const;
  static EventId from_db(std::string_view bytes);

 private:
  explicit EventId(std::string v) : Identifier(std::move(v)) {}
};

// Numbers given by the database. Zero is never given.
enum class RoomNid : std::int64_t {};
enum class EventNid : std::int64_t {};
enum class UserNid : std::int64_t {};
enum class DeviceNid : std::int64_t {};
enum class ServerNid : std::int64_t {};
enum class StateKeyNid : std::int64_t {};  // stands for a pair (type, state_key)

template <class Nid>
constexpr std::int64_t to_int(Nid nid) {
  return static_cast<std::int64_t>(nid);
}

// A place in the one stream of everything durable that a client can observe. 0: before everything.
using StreamPosition = std::int64_t;

// Milliseconds since the Unix epoch.
using Timestamp = std::int64_t;

}  // namespace causeway

template <class Id>
requires std::is_base_of_v<causeway::Identifier<Id>, Id>
struct std::hash<Id> {
  std::size_t operator()(const Id& id) const noexcept { return std::hash<std::string>{}(id.str()); }
};
