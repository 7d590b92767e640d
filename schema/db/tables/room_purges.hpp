// Rooms whose data is deleted because all their local users have forgotten them (migrations/0004_room_purges.sql).
//
// The trigger on memberships requests a purge. Its beginning takes the room out of table rooms, so that from then on
// its ID is that of an unknown room; what it leaves behind is found by the room's number, which is never used again,
// and is deleted in steps that can end and be taken up anywhere.
#pragma once

#include <optional>
#include <vector>

#include "schema/db/database.hpp"
#include "schema/db/tables/writer.hpp"
#include "schema/matrix/ids.hpp"

namespace causeway::db {

struct RoomPurge {
  RoomNid room{};
  RoomId id;
  bool begun = false;
};
// Those begun, then those requested at least `retention_ms` ago, the oldest first.
std::vector<RoomPurge> room_purges(Connection& connection, std::int64_t retention_ms, std::size_t limit);
// The purge of a room with this ID that was begun.
std::optional<RoomNid> begun_room_purge(Connection& connection, const RoomId& room);

enum class PurgeIf {
  forgotten,       // nobody here is in the room or invited to it, and all who were have forgotten it
  never_accepted,  // no event of it was accepted: what is known of it is hearsay
  declined,        // the same, and nobody here is invited to it any more
};
enum class PurgeBegun {
  yes,
  in_use,      // the condition does not hold; a request is withdrawn
  not_writer,  // another process has become the writer: nothing was done
};
PurgeBegun begin_room_purge(Connection& connection, const WriterId& me, RoomNid room, PurgeIf condition);

// Local users who have to do with a room, forgotten or not.
std::vector<UserNid> users_of_room(Connection& connection, RoomNid room);

// One step of a purge that was begun: deletes at most about `max_rows` rows.
struct PurgeStep {
  std::vector<EventNid> events;  // that are no more
  bool done = false;             // nothing is left, and the purge itself is no more
};
PurgeStep purge_room(Connection& connection, RoomNid room, std::size_t max_rows);

}  // namespace causeway::db
