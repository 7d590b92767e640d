// Numbers for strings that are stored once: rooms, users, servers, pairs (type, state_key). Cached, bounded.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "homeserver/events/state_map.hpp"
#include "schema/async/task.hpp"
#include "schema/db/database.hpp"
#include "schema/matrix/ids.hpp"

namespace causeway {

class Interner {
 public:
  explicit Interner(db::Database& database, std::size_t max_entries_each = 200'000);
  ~Interner();

  // Give numbers, making rows for what is new (one round trip for all that are not cached). Order kept.
  Task<std::vector<UserNid>> users(std::vector<UserId> ids);
  Task<std::vector<StateKeyNid>> state_keys(std::vector<StateKey> keys);
  Task<std::vector<ServerNid>> servers(std::vector<ServerName> names);
  Task<UserNid> user(UserId id);
  Task<StateKeyNid> state_key(StateKey key);

  // From the cache alone; for paths that must not suspend.
  std::optional<StateKeyNid> cached_state_key(std::string_view type, std::string_view state_key) const;

  // Back to strings. Asserts that the numbers exist.
  Task<std::vector<StateKey>> state_key_names(std::vector<StateKeyNid> nids);
  Task<std::vector<ServerName>> server_names(std::vector<ServerNid> nids);
  const StateKey* cached_state_key_name(StateKeyNid nid) const;  // valid until the next suspension

  // A fresh number for an event, greater than all before it; blocks of them are fetched ahead.
  Task<EventNid> next_event();
  Task<RoomNid> next_room();

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace causeway
