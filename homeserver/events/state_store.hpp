// State at rest, read: any line at any version. docs/ARCHITECTURE.md, "State is a timeline".
//
// The past of a line never changes, so whole maps may be cached by (room, line, version). That holds for what is
// committed: ask for no other reference.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "homeserver/events/state_map.hpp"
#include "schema/async/task.hpp"
#include "schema/db/database.hpp"

namespace causeway {

class StateStore {
 public:
  explicit StateStore(db::Database& database, std::size_t max_cached_entries = 2'000'000);
  ~StateStore();

  // The whole state there. One round trip unless cached; it reads only what changed where an earlier version of the
  // line is cached. Who asks for the same at the same time shares it.
  Task<StateMapPtr> at(RoomNid room, StateRef ref);
  // The same of many; one round trip for all on main lines that are not cached.
  Task<std::vector<StateMapPtr>> at(std::vector<std::pair<RoomNid, StateRef>> places);

  // Some keys of it, in the order asked; EventNid{0} where a key is not set. One round trip unless the map is cached.
  Task<std::vector<EventNid>> lookup(RoomNid room, StateRef ref, std::vector<StateKeyNid> keys);

  // What changed between two versions of one line, from < version <= to: the keys with what they hold at `to` (0:
  // removed). For references on different lines, or when to is before from, compare whole maps instead.
  Task<std::vector<std::pair<StateKeyNid, EventNid>>> changed(RoomNid room, std::int32_t line, std::int32_t from,
                                                              std::int32_t to);

  // The difference between any two states: keys whose holder differs, with what they hold at `to` (0: removed).
  Task<std::vector<std::pair<StateKeyNid, EventNid>>> difference(RoomNid room, StateRef from, StateRef to);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace causeway
