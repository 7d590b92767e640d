// Tables devices and access_tokens: who is logged in, and with what. Only the SHA-256 of a token is kept.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "schema/crypto/crypto.hpp"
#include "schema/db/write_batch.hpp"
#include "schema/matrix/ids.hpp"

namespace causeway::db {

// Kinds of stream data (homeserver/stream/change.hpp).

// Makes the device, or takes over the one of this name, whose tokens end. `display_name` counts for a new one only.
struct Login {
  UserNid user{};
  std::string device_id;
  std::optional<std::string> display_name;
  crypto::Sha256 token_hash{};
  Timestamp ts = 0;
  StreamPosition position = 0;  // once committed
};
void add(WriteBatch& batch, const Login& login, StreamPosition offset);
inline std::size_t weight_bytes(const Login& login) {
  return login.device_id.size() + (login.display_name ? login.display_name->size() : 0);
}

// Ends a device, or all of the user, with their tokens.
struct Logout {
  UserNid user{};
  std::optional<DeviceNid> device;
  StreamPosition position = 0;  // once committed
};
void add(WriteBatch& batch, const Logout& logout, StreamPosition offset);
inline std::size_t weight_bytes(const Logout&) {
  return 0;
}

struct TokenOwner {
  UserNid user{};
  UserId user_id;
  DeviceNid device{};
  std::string device_id;
  bool is_admin = false;
};
// None: no such token, or its device is gone, or its account is deactivated.
std::optional<TokenOwner> find_token_owner(Connection& connection, const crypto::Sha256& token_hash);

}  // namespace causeway::db
