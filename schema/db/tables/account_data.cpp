#include "schema/db/tables/account_data.hpp"

namespace causeway::db {

void add(WriteBatch& batch, const AccountDataChange& change, StreamPosition offset) {
  using Rows = TypedRows<IntColumn, IntColumn, BytesColumn, BytesColumn, IntColumn>;
  batch.rows<Rows>({"write_account_data"}).add(change.user, change.room, change.type, change.content_json, offset);
}

namespace {

std::vector<AccountData> read_account_data(const pqxx::result& rows) {
  std::vector<AccountData> out;
  out.reserve(rows.size());
  for (const auto& row : rows) {
    AccountData& data = out.emplace_back();
    data.room = read_int<RoomNid>(row[0]);
    data.type = read_bytes(row[1]);
    data.content_json = read_bytes(row[2]);
    data.position = read_int<StreamPosition>(row[3]);
  }
  return out;
}

}  // namespace

std::optional<std::string> find_account_data(Connection& connection, UserNid user, RoomNid room,
                                             const std::string& type) {
  const auto rows =
      connection.exec("select content from account_data where user_nid = $1 and room_nid = $2 and type = $3 limit 1",
                      user, room, Bytes(type));
  return rows.empty() ? std::nullopt : std::optional<std::string>(read_bytes(rows[0][0]));
}

std::int64_t account_data_use(Connection& connection, UserNid user) {
  const auto rows = connection.exec("select bytes from account_data_use where user_nid = $1", user);
  return rows.empty() ? 0 : rows[0][0].as<std::int64_t>();
}

void bound_account_data(Connection& connection, std::size_t bytes) {
  connection.exec(
      "insert into account_data_bound (bytes) values ($1) on conflict (only_row) do update set bytes = excluded.bytes",
      bytes);
}

std::vector<AccountData> account_data_changed(Connection& connection, UserNid user, StreamPosition since,
                                              StreamPosition until, std::size_t max_bytes) {
  const auto rows = connection.exec(
      "select room_nid, type, content, position from ("
      "  select *, sum(account_data_bytes(type, content)) over (order by position desc) as bytes from account_data"
      "  where user_nid = $1 and position > $2 and position <= $3) newest "
      "where bytes <= $4 order by position",
      user, since, until, max_bytes);
  return read_account_data(rows);
}

std::vector<AccountData> global_account_data(Connection& connection, UserNid user,
                                             std::span<const std::string_view> types) {
  const auto rows = connection.exec(
      "select room_nid, type, content, position from account_data "
      "where user_nid = $1 and room_nid = 0 and type = any($2::bytea[])",
      user, bytea_array(types));
  return read_account_data(rows);
}

std::vector<AccountData> account_data_of_rooms(Connection& connection, UserNid user, const std::vector<RoomNid>& rooms,
                                               StreamPosition until, std::size_t max_bytes) {
  const auto rows = connection.exec(
      "select room_nid, type, content, position from ("
      "  select *, sum(account_data_bytes(type, content)) over (order by position desc) as bytes from account_data"
      "  where user_nid = $1 and room_nid = any($2::bigint[]) and position <= $3) newest "
      "where bytes <= $4",
      user, int_array_of(rooms), until, max_bytes);
  return read_account_data(rows);
}

StreamPosition last_account_data(Connection& connection, UserNid user) {
  const auto rows =
      connection.exec("select position from account_data where user_nid = $1 order by position desc limit 1", user);
  return rows.empty() ? 0 : read_int<StreamPosition>(rows[0][0]);
}

}  // namespace causeway::db
