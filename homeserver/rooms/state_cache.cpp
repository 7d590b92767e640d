#include "homeserver/rooms/state_cache.hpp"

namespace causeway {

StateMapPtr StateCache::touch(Slots::iterator slot) {
  uses_.splice(uses_.begin(), uses_, slot->second.use);
  return slot->second.state;
}

StateMapPtr StateCache::find(RoomNid room, StateRef ref) {
  const auto slot = slots_.find({room, ref.line, ref.version});
  return slot == slots_.end() ? nullptr : touch(slot);
}

std::optional<StateCache::Earlier> StateCache::find_earlier(RoomNid room, StateRef ref) {
  auto slot = slots_.lower_bound({room, ref.line, ref.version});
  if (slot == slots_.begin()) return std::nullopt;
  --slot;
  const auto [slot_room, line, version] = slot->first;
  if (slot_room != room || line != ref.line) return std::nullopt;
  return Earlier{version, touch(slot)};
}

void StateCache::put(RoomNid room, StateRef ref, StateMapPtr state) {
  const Key key{room, ref.line, ref.version};
  if (weight(*state) > max_entries_ || slots_.contains(key)) return;
  entries_ += weight(*state);
  uses_.push_front(key);
  slots_[key] = {std::move(state), uses_.begin()};
  while (entries_ > max_entries_) {
    const auto oldest = slots_.find(uses_.back());
    entries_ -= weight(*oldest->second.state);
    slots_.erase(oldest);
    uses_.pop_back();
  }
}

}  // namespace causeway
