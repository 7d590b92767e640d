// Whole states of rooms, the least recently used dropped first, bounded by the entries of all maps together.
#pragma once

#include <list>
#include <map>
#include <optional>
#include <tuple>

#include "homeserver/rooms/state_map.hpp"

namespace causeway {

class StateCache {
 public:
  explicit StateCache(std::size_t max_entries) : max_entries_(max_entries) {}

  StateMapPtr find(RoomNid room, StateRef ref);  // nullptr when it is not here
  void put(RoomNid room, StateRef ref, StateMapPtr state);

  // The newest version of the same line before this one that is here.
  struct Earlier {
    std::int32_t version;
    StateMapPtr state;
  };
  std::optional<Earlier> find_earlier(RoomNid room, StateRef ref);

  std::size_t entries() const { return entries_; }

 private:
  using Key = std::tuple<RoomNid, std::int32_t, std::int32_t>;
  struct Slot {
    StateMapPtr state;
    std::list<Key>::iterator use;
  };
  using Slots = std::map<Key, Slot>;
  static std::size_t weight(const StateMap& state) { return state.size() + 1; }
  StateMapPtr touch(Slots::iterator slot);

  std::size_t max_entries_;
  std::size_t entries_ = 0;
  Slots slots_;
  std::list<Key> uses_;  // most recent first
};

}  // namespace causeway
