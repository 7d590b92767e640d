// A map that forgets: for what can be read again from the database.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <unordered_map>
#include <utility>

namespace causeway {

// Two generations of at most `max_entries` each: what is looked up moves to the young one, and when that is full the
// old one is dropped whole. One thread only.
template <class Key, class Value, class Hash = std::hash<Key>>
class BoundedCache {
 public:
  explicit BoundedCache(std::size_t max_entries) : max_entries_(max_entries) {}

  // nullptr when it is not here. Valid until the next call of anything but version().
  const Value* find(const Key& key) {
    if (auto it = young_.find(key); it != young_.end()) return &it->second;
    auto aged = old_.extract(key);
    if (!aged) return nullptr;
    make_room();
    return &young_.insert(std::move(aged)).position->second;
  }

  void put(Key key, Value value) {
    ++version_;
    insert(std::move(key), std::move(value));
  }
  void erase(const Key& key) {
    ++version_;
    young_.erase(key);
    old_.erase(key);
  }

  // What was read from the database may be older than a put or an erase that came while it was read. So take the
  // version before reading; what was overtaken is not kept.
  std::uint64_t version() const { return version_; }
  void put_as_of(std::uint64_t version, Key key, Value value) {
    if (version == version_) insert(std::move(key), std::move(value));
  }

 private:
  void insert(Key key, Value value) {
    old_.erase(key);
    if (!young_.contains(key)) make_room();
    young_.insert_or_assign(std::move(key), std::move(value));
  }
  void make_room() {
    if (young_.size() < max_entries_) return;
    old_ = std::move(young_);
    young_.clear();
  }

  std::size_t max_entries_;
  std::uint64_t version_ = 0;
  std::unordered_map<Key, Value, Hash> young_, old_;
};

}  // namespace causeway
