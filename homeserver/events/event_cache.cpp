#include "homeserver/events/event_cache.hpp"

#include "homeserver/events/event_bytes.hpp"

namespace causeway {

namespace {
// The entries of the list and the maps.
constexpr std::size_t entry_bytes = 512;
std::size_t cost(const StoredEvent& event) {
  return event_bytes(event) + entry_bytes;
}
}  // namespace

StoredEventPtr EventCache::touch(Entries::iterator entry) const {
  entries_.splice(entries_.begin(), entries_, entry);
  return *entry;
}

StoredEventPtr EventCache::find(EventNid nid) const {
  auto found = by_nid_.find(nid);
  return found == by_nid_.end() ? nullptr : touch(found->second);
}

StoredEventPtr EventCache::find(const EventId& id) const {
  auto found = by_id_.find(id);
  return found == by_id_.end() ? nullptr : find(found->second);
}

void EventCache::put(StoredEventPtr event) {
  if (auto old = by_nid_.find(event->nid); old != by_nid_.end()) drop(old->second);
  bytes_ += cost(*event);
  by_id_.emplace(event->event->id(), event->nid);
  entries_.push_front(std::move(event));
  by_nid_.emplace(entries_.front()->nid, entries_.begin());
  while (bytes_ > max_bytes_)
    drop(std::prev(entries_.end()));
}

void EventCache::erase(EventNid nid) {
  if (auto found = by_nid_.find(nid); found != by_nid_.end()) drop(found->second);
}

void EventCache::drop(Entries::iterator entry) {
  bytes_ -= cost(**entry);
  by_nid_.erase((*entry)->nid);
  by_id_.erase((*entry)->event->id());
  entries_.erase(entry);
}

}  // namespace causeway
