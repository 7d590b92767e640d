#include "schema/db/tables/access_tokens.hpp"

#include <algorithm>

#include "schema/matrix/assert.hpp"

namespace causeway::db {

namespace {

std::vector<crypto::Sha256> read_hashes(const pqxx::result& rows) {
  std::vector<crypto::Sha256> hashes;
  hashes.reserve(rows.size());
  for (const auto& row : rows) {
    const std::string bytes = read_bytes(row[0]);
    crypto::Sha256& hash = hashes.emplace_back();
    CAUSEWAY_ASSERT(bytes.size() == hash.size());
    std::ranges::copy(bytes, hash.begin());
  }
  return hashes;
}

}  // namespace

void insert_access_token(Connection& connection, const crypto::Sha256& token_hash, DeviceNid device, UserNid user,
                         Timestamp now) {
  connection.exec("insert into access_tokens (token_hash, device_nid, user_nid, created_ts) values ($1, $2, $3, $4)",
                  Bytes(crypto::as_view(token_hash)), device, user, now);
}

std::optional<TokenOwner> find_token_owner(Connection& connection, const crypto::Sha256& token_hash) {
  const auto rows = connection.exec(
      "select t.user_nid, u.user_id, d.device_nid, d.device_id, a.is_admin "
      "from access_tokens t join devices d using (device_nid) join users u on u.user_nid = t.user_nid "
      "join accounts a on a.user_nid = t.user_nid where t.token_hash = $1 and not a.deactivated limit 1",
      Bytes(crypto::as_view(token_hash)));
  if (rows.empty()) return std::nullopt;
  const auto row = rows[0];
  return TokenOwner{read_int<UserNid>(row[0]), UserId::trusted(read_bytes(row[1])), read_int<DeviceNid>(row[2]),
                    read_bytes(row[3]), row[4].as<bool>()};
}

std::vector<crypto::Sha256> delete_tokens_of_device(Connection& connection, DeviceNid device) {
  return read_hashes(connection.exec("delete from access_tokens where device_nid = $1 returning token_hash", device));
}

std::vector<crypto::Sha256> delete_tokens_of_user(Connection& connection, UserNid user) {
  return read_hashes(connection.exec("delete from access_tokens where user_nid = $1 returning token_hash", user));
}

}  // namespace causeway::db
