// Table filters. A filter never changes, and its identifier is made from its text.
#pragma once

#include <optional>
#include <string>

#include "schema/db/database.hpp"
#include "schema/matrix/ids.hpp"

namespace causeway::db {

// Does nothing when the user has a filter of this number.
void insert_filter(Connection& connection, UserNid user, std::int64_t filter_id, const std::string& json);
std::optional<std::string> find_filter(Connection& connection, UserNid user, std::int64_t filter_id);

}  // namespace causeway::db
