// Table consumers: how far those have got who follow the stream and must miss nothing of it.
#pragma once

#include <optional>
#include <string>

#include "schema/db/database.hpp"
#include "schema/matrix/ids.hpp"

namespace causeway::db {

// None: it has not begun.
std::optional<StreamPosition> find_consumer(Connection& connection, const std::string& name);
void save_consumer(Connection& connection, const std::string& name, StreamPosition position);

}  // namespace causeway::db
