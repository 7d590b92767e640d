#include "schema/db/tables/consumers.hpp"

namespace causeway::db {

std::optional<StreamPosition> find_consumer(Connection& connection, const std::string& name) {
  const auto rows = connection.exec("select position from consumers where name = $1", name);
  if (rows.empty()) return std::nullopt;
  return read_int<StreamPosition>(rows[0][0]);
}

void save_consumer(Connection& connection, const std::string& name, StreamPosition position) {
  connection.exec(
      "insert into consumers (name, position) values ($1, $2)"
      " on conflict (name) do update set position = excluded.position",
      name, position);
}

}  // namespace causeway::db
