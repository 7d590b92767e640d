// Table aliases: this server's names for rooms. Rows are added, and moved from room to room, by the writer.
#pragma once

#include <optional>
#include <vector>

#include "schema/db/database.hpp"
#include "schema/matrix/ids.hpp"

namespace causeway::db {

inline constexpr int max_aliases_per_room = 1000;

struct AliasRow {
  RoomNid room{};
  UserNid creator{};
};
std::optional<AliasRow> find_alias(Connection& connection, const RoomAlias& alias);
void delete_alias(Connection& connection, const RoomAlias& alias);
std::vector<RoomAlias> aliases_of_room(Connection& connection, RoomNid room);

}  // namespace causeway::db
