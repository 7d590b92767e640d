// Table accounts: one row per local user.
#pragma once

#include <optional>
#include <string>

#include "schema/db/write_batch.hpp"
#include "schema/matrix/ids.hpp"

namespace causeway::db {

// A kind of stream data (homeserver/stream/change.hpp): one field of a local user's profile.
struct ProfileChange {
  enum class Field { display_name, avatar_url };
  UserNid user{};
  Field field = Field::display_name;
  std::optional<std::string> value;
  StreamPosition position = 0;  // once committed
};
void add(WriteBatch& batch, const ProfileChange& change, StreamPosition offset);
inline std::size_t weight_bytes(const ProfileChange& change) {
  return change.value ? change.value->size() : 0;
}

struct Account {
  UserNid user{};
  std::optional<std::string> password_hash;  // none: cannot log in with a password
  bool is_admin = false;
  bool deactivated = false;
  std::optional<std::string> display_name, avatar_url;
};

// False: the user has an account already.
bool insert_account(Connection& connection, UserNid user, const std::optional<std::string>& password_hash,
                    bool is_admin, const std::string& display_name, Timestamp now);
std::optional<Account> find_account(Connection& connection, const UserId& user);

}  // namespace causeway::db
