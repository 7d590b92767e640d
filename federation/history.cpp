#include "federation/history.hpp"

#include <unordered_set>

namespace causeway::federation {

namespace {

constexpr std::size_t max_layers = 100;
constexpr std::size_t max_looked_at = 1'000;

bool may_be_returned(const StoredEvent& stored, const RoomInfo& room, std::int64_t min_depth) {
  return stored.room == room.nid && stored.order && !stored.has(db::EventFlags::rejected) &&
         stored.event->depth() >= min_depth;
}

}  // namespace

Task<std::vector<StoredEventPtr>> walk_back(EventStore& events, RoomInfoPtr room, Walk walk) {
  std::vector<StoredEventPtr> found;
  std::unordered_set<EventId> seen(walk.from.begin(), walk.from.end());
  std::vector<EventId> layer = std::move(walk.from);
  for (std::size_t depth = 0; depth < max_layers && !layer.empty() && seen.size() < max_looked_at; ++depth) {
    auto stored = co_await events.by_id(std::move(layer));
    layer.clear();
    for (auto& event : stored) {
      if (!event || event->room != room->nid || walk.not_beyond.contains(event->event->id())) continue;
      for (const auto& previous : event->event->prev_events())
        if (seen.insert(previous).second) layer.push_back(previous);
      if (!may_be_returned(*event, *room, walk.min_depth)) continue;
      found.push_back(std::move(event));
      if (found.size() == walk.limit) co_return found;
    }
  }
  co_return found;
}

Task<Result<std::vector<StoredEventPtr>>> auth_chain_of(EventStore& events, std::vector<StoredEventPtr> of) {
  std::vector<EventId> ids;
  std::vector<EventNid> from;
  for (const auto& stored : of) {
    if (!stored->auth.empty())
      from.insert(from.end(), stored->auth.begin(), stored->auth.end());
    else  // not a state event: only its JSON says
      ids.insert(ids.end(), stored->event->auth_events().begin(), stored->event->auth_events().end());
  }
  if (!ids.empty()) {
    auto cited = co_await events.by_id(std::move(ids));
    for (const auto& stored : cited)
      if (stored) from.push_back(stored->nid);
  }
  std::sort(from.begin(), from.end());
  from.erase(std::unique(from.begin(), from.end()), from.end());
  if (from.empty()) co_return std::vector<StoredEventPtr>();
  co_return co_await events.auth_chain(std::move(from));
}

}  // namespace causeway::federation
