// Table access_tokens: only the SHA-256 of a token is kept.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "schema/crypto/crypto.hpp"
#include "schema/db/database.hpp"
#include "schema/matrix/ids.hpp"

namespace causeway::db {

struct TokenOwner {
  UserNid user{};
  UserId user_id;
  DeviceNid device{};
  std::string device_id;
  bool is_admin = false;
};

void insert_access_token(Connection& connection, const crypto::Sha256& token_hash, DeviceNid device, UserNid user,
                         Timestamp now);
// None: no such token, or its device is gone, or its account is deactivated.
std::optional<TokenOwner> find_token_owner(Connection& connection, const crypto::Sha256& token_hash);
// Return the hashes of what was deleted.
std::vector<crypto::Sha256> delete_tokens_of_device(Connection& connection, DeviceNid device);
std::vector<crypto::Sha256> delete_tokens_of_user(Connection& connection, UserNid user);

}  // namespace causeway::db
