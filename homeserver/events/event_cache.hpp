// Stored events by number and by identifier, bounded by bytes; the least recently used are dropped first.
#pragma once

#include <list>
#include <unordered_map>

#include "homeserver/events/stored_event.hpp"

namespace causeway {

class EventCache {
 public:
  explicit EventCache(std::size_t max_bytes) : max_bytes_(max_bytes) {}

  StoredEventPtr find(EventNid nid) const;  // nullptr: not here
  StoredEventPtr find(const EventId& id) const;
  void put(StoredEventPtr event);  // takes the place of what has the same number
  void erase(EventNid nid);

 private:
  using Entries = std::list<StoredEventPtr>;
  StoredEventPtr touch(Entries::iterator entry) const;
  void drop(Entries::iterator entry);

  std::size_t max_bytes_;
  std::size_t bytes_ = 0;
  mutable Entries entries_;  // most recently used first
  std::unordered_map<EventNid, Entries::iterator> by_nid_;
  std::unordered_map<EventId, EventNid> by_id_;
};

}  // namespace causeway
