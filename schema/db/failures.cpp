#include "schema/db/failures.hpp"

#include <pqxx/except>

#include "schema/db/database.hpp"

namespace causeway::db {

bool lacks_resources(const std::exception& error) {
  const auto* refused = dynamic_cast<const pqxx::sql_error*>(&error);
  return refused && refused->sqlstate().starts_with("53");
}

bool may_pass(const std::exception& error) {
  return dynamic_cast<const Unavailable*>(&error) || lacks_resources(error);
}

}  // namespace causeway::db
