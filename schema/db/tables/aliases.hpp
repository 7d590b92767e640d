// Table aliases: this server's names for rooms.
#pragma once

#include <optional>
#include <vector>

#include "schema/db/write_batch.hpp"
#include "schema/matrix/ids.hpp"

namespace causeway::db {

inline constexpr int max_aliases_per_room = 1000;

// A kind of stream data (homeserver/stream/change.hpp).
struct AliasChange {
  // A new one: the commit is refused where it is taken (WriteRefusal::alias_taken).
  static AliasChange added(RoomAlias alias, RoomNid room, UserNid creator) {
    return {Kind::added, std::move(alias), room, {}, creator};
  }
  static AliasChange deleted(RoomAlias alias, RoomNid room) { return {Kind::deleted, std::move(alias), room, {}, {}}; }
  // All of a room lead to another, which replaces it.
  static AliasChange moved(RoomNid from, RoomNid to) { return {Kind::moved, {}, to, from, {}}; }

  enum class Kind { added, deleted, moved } kind = Kind::added;
  std::optional<RoomAlias> alias;
  RoomNid room{};
  RoomNid from_room{};
  UserNid creator{};
  StreamPosition position = 0;  // once committed
};
void add(WriteBatch& batch, const AliasChange& change, StreamPosition offset);
inline std::size_t weight_bytes(const AliasChange&) {
  return 0;
}

struct AliasRow {
  RoomNid room{};
  UserNid creator{};
};
std::optional<AliasRow> find_alias(Connection& connection, const RoomAlias& alias);
std::vector<RoomAlias> aliases_of_room(Connection& connection, RoomNid room);

}  // namespace causeway::db
