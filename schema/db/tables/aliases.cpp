#include "schema/db/tables/aliases.hpp"

namespace causeway::db {

void add(WriteBatch& batch, const AliasChange& change, StreamPosition offset) {
  using Rows = TypedRows<IntColumn, BytesColumn, IntColumn, IntColumn, IntColumn, IntColumn>;
  std::optional<std::string> name;
  if (change.alias) name = change.alias->str();
  batch.rows<Rows>({"write_aliases"}).add(change.kind, name, change.room, change.from_room, change.creator, offset);
}

std::optional<AliasRow> find_alias(Connection& connection, const RoomAlias& alias) {
  const auto rows =
      connection.exec("select room_nid, creator_nid from aliases where alias = $1 limit 1", Bytes(alias.str()));
  if (rows.empty()) return std::nullopt;
  return AliasRow{read_int<RoomNid>(rows[0][0]), read_int<UserNid>(rows[0][1])};
}

std::vector<RoomAlias> aliases_of_room(Connection& connection, RoomNid room) {
  const auto rows = connection.exec("select alias from aliases where room_nid = $1 order by alias limit $2", room,
                                    max_aliases_per_room);
  std::vector<RoomAlias> out;
  out.reserve(rows.size());
  for (const auto& row : rows)
    out.push_back(RoomAlias::trusted(read_bytes(row[0])));
  return out;
}

}  // namespace causeway::db
