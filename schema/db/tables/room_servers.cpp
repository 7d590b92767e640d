#include "schema/db/tables/room_servers.hpp"

namespace causeway::db {

std::vector<ServerStay> stays_of_server(Connection& connection, RoomNid room, const ServerName& server) {
  const auto rows = connection.exec(
      "select from_position, to_position from room_servers "
      "where room_nid = $1 and server_nid = (select server_nid from servers where name = $2) "
      "order by from_position desc limit $3",
      room, Bytes(server.str()), max_server_stays);
  std::vector<ServerStay> out;
  out.reserve(rows.size());
  for (const auto& row : rows)
    out.push_back({read_int(row[0]), read_int(row[1])});
  return out;
}

std::vector<RoomServer> room_servers(Connection& connection, RoomNid room, StreamPosition since) {
  std::vector<RoomServer> out;
  for (const auto& row : connection.exec("select server_nid, from_position, to_position from room_servers "
                                         "where room_nid = $1 and to_position >= $2 order by server_nid limit 100000",
                                         room, since))
    out.push_back({read_int<ServerNid>(row[0]), read_int(row[1]), read_int(row[2])});
  return out;
}

}  // namespace causeway::db
