#include "schema/db/tables/devices.hpp"

namespace causeway::db {

namespace {

// user, device, device_id, display name, token hash, time
using SessionRows = TypedRows<IntColumn, IntColumn, BytesColumn, BytesColumn, BytesColumn, IntColumn>;
constexpr WriteFunction sessions{"write_sessions"};
constexpr std::optional<std::string_view> none;

}  // namespace

void add(WriteBatch& batch, const Login& login, StreamPosition) {
  batch.rows<SessionRows>(sessions).add(login.user, std::optional<DeviceNid>(), login.device_id, login.display_name,
                                        crypto::as_view(login.token_hash), login.ts);
}

void add(WriteBatch& batch, const Logout& logout, StreamPosition) {
  batch.rows<SessionRows>(sessions).add(logout.user, logout.device, none, none, none, 0);
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

}  // namespace causeway::db
