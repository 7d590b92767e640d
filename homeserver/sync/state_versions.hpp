// Which version of a room's main line of state was in force at a position of the stream, from memory.
#pragma once

#include <deque>
#include <optional>
#include <unordered_map>

#include "homeserver/stream/stream_hub.hpp"

namespace causeway {

// Reactor thread only, bounded.
class StateVersions {
 public:
  explicit StateVersions(const StreamHub& hub, std::size_t max_steps = 131'072) : hub_(hub), max_steps_(max_steps) {}

  // `position`: the last of the batch that the unit was committed with.
  void append(StreamPosition position, const WriteUnit& committed);

  struct Answer {
    bool known = false;                   // false: before this process's memory
    std::optional<std::int32_t> version;  // none: what is in force now was in force then
  };
  Answer at(RoomNid room, StreamPosition position) const;

 private:
  struct Step {
    StreamPosition position = 0;
    std::int32_t before = 0, after = 0;
  };
  void forget_oldest();
  StreamPosition complete_after() const { return complete_after_.value_or(hub_.recent().complete_after()); }

  const StreamHub& hub_;
  std::size_t max_steps_;
  std::optional<StreamPosition> complete_after_;  // known once something was committed
  std::unordered_map<RoomNid, std::deque<Step>> rooms_;
  std::deque<RoomNid> order_;  // the room of every step, oldest first
};

}  // namespace causeway
