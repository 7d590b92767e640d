// Names and their numbers, each found by the other, the least recently used dropped first.
#pragma once

#include <list>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "homeserver/runtime/memory_use.hpp"

namespace causeway {

// `View` is a borrowed form of Name that can be hashed by `Hash` and is made from it: look-ups need no copy. It says
// how much the name holds outside itself: heap_bytes().
template <class Name, class Nid, class View, class Hash = std::hash<View>>
class TwoWayCache {
 public:
  explicit TwoWayCache(std::size_t max_bytes) : max_bytes_(max_bytes) {}

  const Nid* find(const View& name) const {
    auto found = by_name_.find(name);
    return found == by_name_.end() ? nullptr : &touch(found->second)->second;
  }
  // Valid until the next insert.
  const Name* find(Nid nid) const {
    auto found = by_nid_.find(nid);
    return found == by_nid_.end() ? nullptr : &touch(found->second)->first;
  }

  void insert(Name name, Nid nid) {
    if (by_nid_.contains(nid)) return;
    entries_.emplace_front(std::move(name), nid);
    by_name_.emplace(View(entries_.front().first), entries_.begin());
    by_nid_.emplace(nid, entries_.begin());
    bytes_ += bytes_of(entries_.front().first);
    while (bytes_ > max_bytes_ && entries_.size() > 1)
      drop_oldest();
  }

 private:
  using Entries = std::list<std::pair<Name, Nid>>;
  typename Entries::iterator touch(typename Entries::iterator entry) const {
    entries_.splice(entries_.begin(), entries_, entry);
    return entry;
  }

  static std::size_t bytes_of(const Name& name) {
    return sizeof(Name) + sizeof(View) + 3 * node_bytes + View(name).heap_bytes();
  }
  void drop_oldest() {
    bytes_ -= bytes_of(entries_.back().first);
    by_nid_.erase(entries_.back().second);
    by_name_.erase(View(entries_.back().first));
    entries_.pop_back();
  }

  std::size_t max_bytes_;
  std::size_t bytes_ = 0;
  mutable Entries entries_;  // most recently used first
  std::unordered_map<View, typename Entries::iterator, Hash> by_name_;
  std::unordered_map<Nid, typename Entries::iterator> by_nid_;
};

}  // namespace causeway
