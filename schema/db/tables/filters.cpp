#include "schema/db/tables/filters.hpp"

namespace causeway::db {

void insert_filter(Connection& connection, UserNid user, std::int64_t filter_id, const std::string& json) {
  connection.exec("insert into filters (user_nid, filter_id, json) values ($1, $2, $3) on conflict do nothing", user,
                  filter_id, Bytes(json));
}

std::optional<std::string> find_filter(Connection& connection, UserNid user, std::int64_t filter_id) {
  const auto rows =
      connection.exec("select json from filters where user_nid = $1 and filter_id = $2 limit 1", user, filter_id);
  return rows.empty() ? std::nullopt : std::optional<std::string>(read_bytes(rows[0][0]));
}

}  // namespace causeway::db
