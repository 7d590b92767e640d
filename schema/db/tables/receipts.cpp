#include "schema/db/tables/receipts.hpp"

namespace causeway::db {

void add(WriteBatch& batch, const ReceiptChange& change, StreamPosition offset) {
  using Rows = TypedRows<IntColumn, IntColumn, BytesColumn, BytesColumn, BytesColumn, IntColumn, IntColumn>;
  batch.rows<Rows>({"write_receipts"})
      .add(change.room, change.user, change.receipt_type, change.thread_id, change.event_id.to_db(), change.ts, offset);
}

std::vector<ReceiptRow> receipts_changed(Connection& connection, const std::vector<RoomNid>& rooms,
                                         StreamPosition since, StreamPosition until, UserNid for_user,
                                         std::size_t limit_per_room) {
  const auto rows = connection.exec(
      "select r.room_nid, u.user_id, r.receipt_type, r.thread_id, r.event_id, r.ts, r.position "
      "from unnest($1::bigint[]) as wanted(nid) cross join lateral ("
      "  select * from receipts where room_nid = wanted.nid and position > $2 and position <= $3 "
      "  and (receipt_type <> 'm.read.private' or user_nid = $4) order by position desc limit $5) as r "
      "join users u using (user_nid) order by r.position",
      int_array_of(rooms), since, until, for_user, limit_per_room);
  std::vector<ReceiptRow> receipts;
  receipts.reserve(rows.size());
  for (const auto& row : rows) {
    ReceiptRow& receipt = receipts.emplace_back();
    receipt.room = read_int<RoomNid>(row[0]);
    receipt.user = UserId::trusted(read_bytes(row[1]));
    receipt.receipt_type = read_bytes(row[2]);
    receipt.thread_id = read_bytes(row[3]);
    receipt.event_id = EventId::from_db(read_bytes(row[4]));
    receipt.ts = read_int<Timestamp>(row[5]);
    receipt.position = read_int<StreamPosition>(row[6]);
  }
  return receipts;
}

std::optional<EventId> receipt_event(Connection& connection, RoomNid room, UserNid user,
                                     const std::string& receipt_type, const std::string& thread_id) {
  const auto rows = connection.exec(
      "select event_id from receipts where room_nid = $1 and user_nid = $2 and receipt_type = $3 and thread_id = $4 "
      "limit 1",
      room, user, Bytes(receipt_type), Bytes(thread_id));
  if (rows.empty()) return std::nullopt;
  return EventId::from_db(read_bytes(rows[0][0]));
}

}  // namespace causeway::db
