#include "schema/db/tables/interning.hpp"

#include "schema/matrix/assert.hpp"

namespace causeway::db {

namespace {

constexpr std::int64_t event_nid_block_size = 1024;

template <class Nid>
std::vector<Nid> read_nids(const pqxx::result& rows, std::size_t expected) {
  CAUSEWAY_ASSERT(rows.size() == expected);
  std::vector<Nid> nids;
  nids.reserve(rows.size());
  for (const auto& row : rows)
    nids.push_back(read_int<Nid>(row[0]));
  return nids;
}

template <class Id>
std::vector<std::string_view> texts(std::span<const Id> ids) {
  std::vector<std::string_view> out;
  out.reserve(ids.size());
  for (const Id& id : ids)
    out.push_back(id.str());
  return out;
}

}  // namespace

std::vector<ServerNid> intern_servers(Connection& connection, std::span<const ServerName> names) {
  auto rows = connection.exec("select * from intern_servers($1::bytea[])", bytea_array(texts(names)));
  return read_nids<ServerNid>(rows, names.size());
}

std::vector<UserNid> intern_users(Connection& connection, std::span<const UserId> ids) {
  std::vector<std::string_view> servers;
  servers.reserve(ids.size());
  for (const UserId& id : ids)
    servers.push_back(id.server());
  auto rows = connection.exec("select * from intern_users($1::bytea[], $2::bytea[])", bytea_array(texts(ids)),
                              bytea_array(servers));
  return read_nids<UserNid>(rows, ids.size());
}

std::vector<StateKeyNid> intern_state_keys(Connection& connection, std::span<const TypeAndStateKey> keys) {
  std::vector<std::string_view> types, state_keys;
  for (const auto& [type, state_key] : keys) {
    types.push_back(type);
    state_keys.push_back(state_key);
  }
  auto rows = connection.exec("select * from intern_state_keys($1::bytea[], $2::bytea[])", bytea_array(types),
                              bytea_array(state_keys));
  return read_nids<StateKeyNid>(rows, keys.size());
}

std::vector<StateKeyNid> find_state_keys(Connection& connection, std::span<const TypeAndStateKey> keys) {
  std::vector<std::string_view> types, state_keys;
  for (const auto& [type, state_key] : keys) {
    types.push_back(type);
    state_keys.push_back(state_key);
  }
  auto rows = connection.exec(
      "select coalesce(k.state_key_nid, 0) "
      "from unnest($1::bytea[], $2::bytea[]) with ordinality as asked (type, state_key, place) "
      "left join state_keys k on k.type = asked.type and k.state_key = asked.state_key order by place",
      bytea_array(types), bytea_array(state_keys));
  return read_nids<StateKeyNid>(rows, keys.size());
}

std::vector<std::pair<ServerNid, ServerName>> server_names(Connection& connection, std::span<const ServerNid> nids) {
  std::vector<std::pair<ServerNid, ServerName>> found;
  for (const auto& row :
       connection.exec("select server_nid, name from servers where server_nid = any($1::bigint[])", int_array_of(nids)))
    found.emplace_back(read_int<ServerNid>(row[0]), ServerName::trusted(read_bytes(row[1])));
  return found;
}

std::vector<std::pair<StateKeyNid, TypeAndStateKey>> state_key_names(Connection& connection,
                                                                     std::span<const StateKeyNid> nids) {
  std::vector<std::pair<StateKeyNid, TypeAndStateKey>> found;
  for (const auto& row :
       connection.exec("select state_key_nid, type, state_key from state_keys where state_key_nid = any($1::bigint[])",
                       int_array_of(nids)))
    found.emplace_back(read_int<StateKeyNid>(row[0]), TypeAndStateKey(read_bytes(row[1]), read_bytes(row[2])));
  return found;
}

EventNidBlock next_event_nid_block(Connection& connection) {
  const auto block = read_int(connection.exec("select nextval('event_nid_block')")[0][0]);
  return {block * event_nid_block_size, (block + 1) * event_nid_block_size};
}

RoomNid next_room_nid(Connection& connection) {
  return read_int<RoomNid>(connection.exec("select nextval('room_nid')")[0][0]);
}

}  // namespace causeway::db
