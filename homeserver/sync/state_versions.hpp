// Which version of a room's main line of state was in force at a position of the stream, from memory.
#pragma once

#include <deque>
#include <optional>
#include <unordered_map>

#include "homeserver/runtime/memory_use.hpp"
#include "homeserver/stream/stream_hub.hpp"

namespace causeway {

// Reactor thread only, bounded.
class StateVersions {
 public:
  explicit StateVersions(const StreamHub& hub, std::size_t max_bytes = 16 << 20) : hub_(hub), max_bytes_(max_bytes) {}

  // `position`: the last of the batch that the unit was committed with.
  void append(const Committed& facts);

  struct Answer {
    bool known = false;                   // false: before this process's memory
    std::optional<std::int32_t> version;  // none: what is in force now was in force then
  };
  Answer at(RoomNid room, StreamPosition position) const;

  // What a room takes, and each of its steps.
  static constexpr std::size_t room_bytes = node_bytes + deque_bytes;
  static constexpr std::size_t step_bytes = 16 + sizeof(RoomNid);

 private:
  struct Step {
    StreamPosition position = 0;
    std::int32_t before = 0, after = 0;
  };
  void forget_oldest();
  std::size_t bytes() const { return rooms_.size() * room_bytes + order_.size() * step_bytes; }
  StreamPosition complete_after() const { return complete_after_.value_or(hub_.recent().complete_after()); }

  const StreamHub& hub_;
  std::size_t max_bytes_;
  std::optional<StreamPosition> complete_after_;  // known once something was committed
  std::unordered_map<RoomNid, std::deque<Step>> rooms_;
  std::deque<RoomNid> order_;  // the room of every step, oldest first
};

}  // namespace causeway
