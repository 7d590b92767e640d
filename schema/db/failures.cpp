#include "schema/db/failures.hpp"

#include <pqxx/except>

namespace causeway::db {

bool lacks_resources(const std::exception& error) {
  const auto* refused = dynamic_cast<const pqxx::sql_error*>(&error);
  return refused && refused->sqlstate().starts_with("53");
}

}  // namespace causeway::db
