// Table registration_tokens.
#pragma once

#include <optional>
#include <string>

#include "schema/db/database.hpp"
#include "schema/matrix/ids.hpp"

namespace causeway::db {

// False: there is one of this name.
bool insert_registration_token(Connection& connection, const std::string& token,
                               std::optional<std::int32_t> uses_allowed, std::optional<Timestamp> expires_ts);
// Has registrations left and has not expired.
bool registration_token_valid(Connection& connection, const std::string& token, Timestamp now);
// Counts one registration. False, and nothing done, when it is not valid.
bool use_registration_token(Connection& connection, const std::string& token, Timestamp now);

}  // namespace causeway::db
