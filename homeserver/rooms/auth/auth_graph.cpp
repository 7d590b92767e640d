#include "homeserver/rooms/auth/auth_graph.hpp"

namespace causeway {

AuthGraph::Index AuthGraph::index_of(EventNid nid) {
  const auto [found, added] = index_.try_emplace(nid, static_cast<Index>(nodes_.size()));
  if (added) nodes_.emplace_back().nid = nid;
  return found->second;
}

void AuthGraph::add(EventNid nid, std::int64_t order, StateKeyNid key, std::span<const EventNid> auth_events,
                    Node::State state) {
  const Index at = index_of(nid);
  if (is_known(at)) return;
  const auto first = static_cast<std::uint32_t>(edges_.size());
  for (EventNid cited : auth_events)
    edges_.push_back(index_of(cited));
  Node& node = nodes_[at];
  node.key = key;
  node.order = order;
  node.first = first;
  node.count = static_cast<std::uint16_t>(auth_events.size());
  node.state = state;
}

}  // namespace causeway
