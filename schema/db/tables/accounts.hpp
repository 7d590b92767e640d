// Table accounts: one row per local user.
#pragma once

#include <optional>
#include <string>

#include "schema/db/database.hpp"
#include "schema/matrix/ids.hpp"

namespace causeway::db {

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
void update_display_name(Connection& connection, UserNid user, const std::optional<std::string>& value);
void update_avatar_url(Connection& connection, UserNid user, const std::optional<std::string>& value);

}  // namespace causeway::db
