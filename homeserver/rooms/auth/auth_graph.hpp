// Who cites whom among a room's state events, as integers: all that state resolution needs to find out which events
// take part in it.
//
// It need not hold the whole room: a walk over it names the events it came to and does not know.
#pragma once

#include <boost/unordered/unordered_flat_map.hpp>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "schema/matrix/ids.hpp"

namespace causeway {

class AuthGraph {
 public:
  using Index = std::uint32_t;

  // `key` 0: not a state event. `order` is greater than those of what the event cites (StoredEvent::auth_order); its
  // number need not be. What is added again stays as it is.
  void add(EventNid nid, std::int64_t order, StateKeyNid key, std::span<const EventNid> auth_events) {
    add(nid, order, key, auth_events, Node::State::present);
  }
  // An event that this server has never had; walks go on as if it were not cited.
  void add_absent(EventNid nid) { add(nid, 0, {}, {}, Node::State::absent); }

  std::size_t size() const { return nodes_.size(); }

  // An event that was added or that an added one cites.
  std::optional<Index> find(EventNid nid) const {
    const auto found = index_.find(nid);
    return found == index_.end() ? std::nullopt : std::optional(found->second);
  }
  EventNid nid(Index at) const { return nodes_[at].nid; }
  StateKeyNid key(Index at) const { return nodes_[at].key; }       // of a known one
  std::int64_t order(Index at) const { return nodes_[at].order; }  // of a known one
  bool is_known(Index at) const { return nodes_[at].state != Node::State::unknown; }
  bool is_absent(Index at) const { return nodes_[at].state == Node::State::absent; }
  // What a known event cites.
  std::span<const Index> auth_events(Index at) const { return {edges_.data() + nodes_[at].first, nodes_[at].count}; }

 private:
  struct Node {
    enum class State : std::uint8_t { unknown, absent, present };
    EventNid nid{};
    StateKeyNid key{};
    std::int64_t order = 0;
    std::uint32_t first = 0;  // of its edges
    std::uint16_t count = 0;
    State state = State::unknown;
  };
  void add(EventNid nid, std::int64_t order, StateKeyNid key, std::span<const EventNid> auth_events, Node::State state);
  Index index_of(EventNid nid);

  std::vector<Node> nodes_;
  std::vector<Index> edges_;
  boost::unordered_flat_map<EventNid, Index> index_;
};

}  // namespace causeway
