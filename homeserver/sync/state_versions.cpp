#include "homeserver/sync/state_versions.hpp"

namespace causeway {

namespace {

// The main line's version before the unit: its changes start right behind it.
std::int32_t version_before(const Committed& facts) {
  std::int32_t before = facts.head->state_version;
  for (const auto& change : facts.state)
    if (change.line == 0) before = std::min(before, change.from_version - 1);
  return before;
}

}  // namespace

void StateVersions::append(const Committed& facts) {
  if (!complete_after_) complete_after_ = hub_.recent().complete_after();
  if (!facts.head) return;
  const Step step{facts.until, version_before(facts), facts.head->state_version};
  if (step.before == step.after) return;
  rooms_[facts.room].push_back(step);
  order_.push_back(facts.room);
  while (bytes() > max_bytes_)
    forget_oldest();
}

void StateVersions::forget_oldest() {
  auto room = rooms_.find(order_.front());
  order_.pop_front();
  complete_after_ = room->second.front().position;
  room->second.pop_front();
  if (room->second.empty()) rooms_.erase(room);
}

StateVersions::Answer StateVersions::at(RoomNid room, StreamPosition position) const {
  if (position < complete_after()) return {};
  auto found = rooms_.find(room);
  if (found == rooms_.end()) return {true, std::nullopt};
  const auto& steps = found->second;
  const auto next = std::partition_point(steps.begin(), steps.end(),
                                         [position](const Step& step) { return step.position <= position; });
  return {true, next == steps.begin() ? next->before : std::prev(next)->after};
}

}  // namespace causeway
