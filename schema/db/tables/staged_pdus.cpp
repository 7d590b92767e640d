#include "schema/db/tables/staged_pdus.hpp"

#include "schema/db/tables/events.hpp"

namespace causeway::db {

bool stage_pdu(Connection& connection, const StagedPdu& pdu, std::size_t room_limit, std::size_t origin_limit) {
  const std::string id = pdu.event_id.to_db();
  connection.exec(
      "insert into staged_pdus (event_id, room_id, origin, json, received_ts) select $1, $2, $3, $4, $5 "
      "where (select count(*) from (select from staged_pdus where room_id = $2 limit $6) held) < $6 "
      "and (select count(*) from (select from staged_pdus where room_id = $2 and origin = $3 limit $7) held) < $7 "
      "on conflict do nothing",
      Bytes(id), Bytes(pdu.room_id.str()), Bytes(pdu.origin.str()), Bytes(pdu.json), pdu.received_ts, room_limit,
      origin_limit);
  return !connection.exec("select from staged_pdus where event_id = $1", Bytes(id)).empty();
}

std::vector<StagedPdu> staged_pdus(Connection& connection, const RoomId& room, const std::vector<EventId>& without,
                                   std::size_t limit) {
  std::vector<StagedPdu> out;
  for (const auto& row :
       connection.exec("select event_id, origin, json, received_ts from staged_pdus where room_id = $1 "
                       "and event_id <> all($3::bytea[]) "
                       "order by row_number() over (partition by origin order by staged_nid), staged_nid limit $2",
                       Bytes(room.str()), limit, event_id_array(without)))
    out.push_back({EventId::from_db(read_bytes(row[0])), room, ServerName::trusted(read_bytes(row[1])),
                   read_bytes(row[2]), row[3].as<Timestamp>()});
  return out;
}

std::vector<RoomId> rooms_with_staged_pdus(Connection& connection, const std::string& after, std::size_t limit) {
  std::vector<RoomId> out;
  for (const auto& row :
       connection.exec("select distinct room_id from staged_pdus where room_id > $1 order by room_id limit $2",
                       Bytes(after), limit))
    out.push_back(RoomId::trusted(read_bytes(row[0])));
  return out;
}

void unstage_pdus(Connection& connection, const std::vector<EventId>& ids) {
  connection.exec("delete from staged_pdus where event_id = any($1::bytea[])", event_id_array(ids));
}

}  // namespace causeway::db
