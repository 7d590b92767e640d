#include "homeserver/rooms/auth_graph.hpp"

#include <algorithm>
#include <stdexcept>
#include <string>

namespace causeway {

AuthGraph::Index AuthGraph::index_of(EventNid nid) {
  const auto [found, added] = index_.try_emplace(nid, static_cast<Index>(nodes_.size()));
  if (added) nodes_.emplace_back().nid = nid;
  return found->second;
}

void AuthGraph::add(EventNid nid, StateKeyNid key, std::span<const EventNid> auth_events) {
  if (std::ranges::any_of(auth_events, [nid](EventNid cited) { return cited >= nid; }))
    throw std::logic_error("event number " + std::to_string(to_int(nid)) + " cites a later one");
  add(nid, key, auth_events, Node::State::present);
}

void AuthGraph::add(EventNid nid, StateKeyNid key, std::span<const EventNid> auth_events, Node::State state) {
  const Index at = index_of(nid);
  if (is_known(at)) return;
  const auto first = static_cast<std::uint32_t>(edges_.size());
  for (EventNid cited : auth_events)
    edges_.push_back(index_of(cited));
  Node& node = nodes_[at];
  node.key = key;
  node.first = first;
  node.count = static_cast<std::uint16_t>(auth_events.size());
  node.state = state;
}

}  // namespace causeway
