// A map that forgets: for what can be read again from the database.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <unordered_map>
#include <utility>

#include "homeserver/runtime/memory_use.hpp"

namespace causeway {

// Two generations of half of `max_bytes` each: what is looked up moves to the young one, and when that is full the old
// one is dropped whole. One thread only.
template <class Key, class Value, class Hash = std::hash<Key>>
class BoundedCache {
 public:
  // What key and value hold outside themselves.
  using Weigh = std::function<std::size_t(const Key&, const Value&)>;
  static constexpr std::size_t entry_bytes = sizeof(Key) + sizeof(Value) + node_bytes;

  explicit BoundedCache(
      std::size_t max_bytes, Weigh weigh = [](const Key&, const Value&) { return std::size_t{0}; })
      : max_bytes_each_(max_bytes / 2), weigh_(std::move(weigh)) {}

  // nullptr when it is not here. Valid until the next call of anything but version().
  const Value* find(const Key& key) {
    if (auto it = young_.find(key); it != young_.end()) return &it->second;
    auto aged = old_.extract(key);
    if (!aged) return nullptr;
    make_room(weight(aged.key(), aged.mapped()));
    return &young_.insert(std::move(aged)).position->second;
  }

  void put(Key key, Value value) {
    ++version_;
    insert(std::move(key), std::move(value));
  }
  void erase(const Key& key) {
    ++version_;
    drop(key);
  }

  void clear() {
    ++version_;
    old_.clear();
    young_.clear();
    bytes_ = 0;
  }

  // What was read from the database may be older than a put or an erase that came while it was read. So take the
  // version before reading; what was overtaken is not kept.
  std::uint64_t version() const { return version_; }
  void put_as_of(std::uint64_t version, Key key, Value value) {
    if (version == version_) insert(std::move(key), std::move(value));
  }

 private:
  std::size_t weight(const Key& key, const Value& value) const { return entry_bytes + weigh_(key, value); }

  void drop(const Key& key) {
    old_.erase(key);
    const auto it = young_.find(key);
    if (it == young_.end()) return;
    bytes_ -= weight(it->first, it->second);
    young_.erase(it);
  }
  void insert(Key key, Value value) {
    drop(key);
    make_room(weight(key, value));
    young_.emplace(std::move(key), std::move(value));
  }
  void make_room(std::size_t bytes) {
    if (!young_.empty() && bytes_ + bytes > max_bytes_each_) {
      old_ = std::move(young_);
      young_.clear();
      bytes_ = 0;
    }
    bytes_ += bytes;
  }

  std::size_t max_bytes_each_;
  Weigh weigh_;
  std::uint64_t version_ = 0;
  std::size_t bytes_ = 0;  // of the young ones
  std::unordered_map<Key, Value, Hash> young_, old_;
};

}  // namespace causeway
