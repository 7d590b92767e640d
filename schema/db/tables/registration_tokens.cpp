#include "schema/db/tables/registration_tokens.hpp"

namespace causeway::db {

bool insert_registration_token(Connection& connection, const std::string& token,
                               std::optional<std::int32_t> uses_allowed, std::optional<Timestamp> expires_ts) {
  const auto inserted = connection.exec(
      "insert into registration_tokens (token, uses_allowed, expires_ts) values ($1, $2, $3) on conflict do nothing",
      Bytes(token), uses_allowed, expires_ts);
  return inserted.affected_rows() == 1;
}

bool registration_token_valid(Connection& connection, const std::string& token, Timestamp now) {
  const auto rows = connection.exec(
      "select 1 from registration_tokens where token = $1 and (uses_allowed is null or completed < uses_allowed) "
      "and (expires_ts is null or expires_ts > $2) limit 1",
      Bytes(token), now);
  return !rows.empty();
}

bool use_registration_token(Connection& connection, const std::string& token, Timestamp now) {
  const auto updated = connection.exec(
      "update registration_tokens set completed = completed + 1 "
      "where token = $1 and (uses_allowed is null or completed < uses_allowed) and (expires_ts is null or expires_ts > "
      "$2)",
      Bytes(token), now);
  return updated.affected_rows() == 1;
}

}  // namespace causeway::db
