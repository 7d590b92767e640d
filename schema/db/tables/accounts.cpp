#include "schema/db/tables/accounts.hpp"

namespace causeway::db {

namespace {

std::optional<std::string> read_optional_bytes(const pqxx::field& field) {
  return field.is_null() ? std::nullopt : std::optional<std::string>(read_bytes(field));
}

}  // namespace

bool insert_account(Connection& connection, UserNid user, const std::optional<std::string>& password_hash,
                    bool is_admin, const std::string& display_name, Timestamp now) {
  const auto inserted = connection.exec(
      "insert into accounts (user_nid, password_hash, is_admin, display_name, created_ts) values ($1, $2, $3, $4, $5) "
      "on conflict do nothing",
      user, password_hash, is_admin, Bytes(display_name), now);
  return inserted.affected_rows() == 1;
}

std::optional<Account> find_account(Connection& connection, const UserId& user) {
  const auto rows = connection.exec(
      "select a.user_nid, a.password_hash, a.is_admin, a.deactivated, a.display_name, a.avatar_url "
      "from accounts a join users u using (user_nid) where u.user_id = $1 limit 1",
      Bytes(user.str()));
  if (rows.empty()) return std::nullopt;
  const auto row = rows[0];
  Account account;
  account.user = read_int<UserNid>(row[0]);
  if (!row[1].is_null()) account.password_hash = row[1].as<std::string>();
  account.is_admin = row[2].as<bool>();
  account.deactivated = row[3].as<bool>();
  account.display_name = read_optional_bytes(row[4]);
  account.avatar_url = read_optional_bytes(row[5]);
  return account;
}

void add(WriteBatch& batch, const ProfileChange& change, StreamPosition) {
  batch.rows<TypedRows<IntColumn, IntColumn, BytesColumn>>({"write_profiles"})
      .add(change.user, change.field, change.value);
}

}  // namespace causeway::db
