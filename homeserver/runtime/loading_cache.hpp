// A bounded cache whose values are loaded on demand and kept current by whoever hears of changes. Reactor thread only.
//
// Who asks for a value that is being loaded waits for that load. A change that comes while a value is being loaded
// makes the load repeat, so that nothing older than the change is kept. The least recently used values go first.
#pragma once

#include <boost/asio/steady_timer.hpp>
#include <deque>
#include <functional>
#include <list>
#include <memory>
#include <unordered_map>
#include <utility>
#include <vector>

#include "homeserver/runtime/memory_use.hpp"
#include "schema/async/task.hpp"

namespace causeway {

template <class Key, class Value, class Hash = std::hash<Key>>
class LoadingCache {
 public:
  using Pointer = std::shared_ptr<const Value>;
  using Load = std::function<Task<std::shared_ptr<Value>>(Key)>;  // nullptr: there is no such thing; not kept
  // What key and value hold outside themselves.
  using Weigh = std::function<std::size_t(const Key&, const Value&)>;
  static constexpr std::size_t entry_bytes = 2 * sizeof(Key) + sizeof(Value) + 3 * node_bytes;

  LoadingCache(
      std::size_t max_bytes, Load load, Weigh weigh = [](const Key&, const Value&) { return std::size_t{0}; })
      : max_bytes_(max_bytes), load_(std::move(load)), weigh_(std::move(weigh)) {}
  LoadingCache(const LoadingCache&) = delete;
  LoadingCache& operator=(const LoadingCache&) = delete;

  Task<Pointer> get(Key key) {
    for (;;) {
      if (Pointer held = find(key)) co_return held;
      const auto flying = flights_.find(key);
      if (flying == flights_.end()) co_return co_await load(std::move(key));
      const std::shared_ptr<Flight> flight = flying->second;
      co_await expiry(flight->landed);
      // What landed may have changed since, before this went on; what was dropped since is loaded again.
      if (Pointer held = find(key)) co_return held;
      if (flight->succeeded && !flight->kept) co_return flight->value;
    }
  }

  // Loads at once what is neither held nor being loaded: `load_many(std::vector<Key>)` gives pairs of key and value.
  // What changes meanwhile is not kept.
  template <class LoadMany>
  Task<> fill(std::vector<Key> keys, LoadMany load_many) {
    auto executor = co_await asio::this_coro::executor;
    std::vector<Key> missing;
    std::deque<Landing> landings;
    for (const Key& key : keys) {
      if (find(key) || flights_.contains(key)) continue;
      missing.push_back(key);
      landings.emplace_back(*this, key, executor);
    }
    if (missing.empty()) co_return;
    std::vector<std::pair<Key, std::shared_ptr<Value>>> loaded = co_await load_many(std::move(missing));
    for (auto& [key, value] : loaded) {
      Flight& flight = *flights_.at(key);
      if (flight.disturbed) continue;
      flight.value = value;
      flight.succeeded = flight.kept = true;
      keep(key, std::move(value));
    }
  }

  // What is held now, without loading.
  Pointer find(const Key& key) {
    const auto it = index_.find(key);
    if (it == index_.end()) return nullptr;
    entries_.splice(entries_.begin(), entries_, it->second);
    return it->second->value;
  }

  void put(const Key& key, std::shared_ptr<Value> value) {
    drop(key);
    keep(key, std::move(value));
  }

  void drop(const Key& key) {
    disturb(key);
    const auto it = index_.find(key);
    if (it == index_.end()) return;
    bytes_ -= it->second->bytes;
    entries_.erase(it->second);
    index_.erase(it);
  }

  // Calls `change(Value&)` if the value is held. Readers keep what they have: it is copied when somebody holds it.
  template <class Change>
  void change(const Key& key, Change change) {
    disturb(key);
    const auto it = index_.find(key);
    if (it == index_.end()) return;
    Entry& entry = *it->second;
    if (entry.value.use_count() > 1) entry.value = std::make_shared<Value>(*entry.value);
    change(*entry.value);
    bytes_ -= entry.bytes;
    entry.bytes = entry_bytes + weigh_(key, *entry.value);
    bytes_ += entry.bytes;
    shrink();
  }

  std::size_t size() const { return entries_.size(); }

 private:
  static constexpr int max_loads = 3;  // beyond, the answer is given but not kept

  struct Entry {
    Key key;
    std::shared_ptr<Value> value;
    std::size_t bytes = 0;
  };
  struct Flight {
    explicit Flight(const asio::any_io_executor& executor) : landed(executor, asio::steady_timer::time_point::max()) {}
    asio::steady_timer landed;  // cancelled to wake those who wait
    std::shared_ptr<Value> value;
    bool disturbed = false;
    bool succeeded = false;
    bool kept = false;
  };
  // A flight that ends whatever happens to the load.
  class Landing {
   public:
    Landing(LoadingCache& cache, Key key, const asio::any_io_executor& executor)
        : cache_(cache), key_(std::move(key)), flight_(std::make_shared<Flight>(executor)) {
      cache_.flights_.emplace(key_, flight_);
    }
    Landing(const Landing&) = delete;
    Landing& operator=(const Landing&) = delete;
    ~Landing() {
      cache_.flights_.erase(key_);
      flight_->landed.cancel();
    }
    Flight& flight() { return *flight_; }

   private:
    LoadingCache& cache_;
    const Key key_;
    const std::shared_ptr<Flight> flight_;
  };

  Task<Pointer> load(Key key) {
    auto executor = co_await asio::this_coro::executor;
    Landing landing(*this, key, executor);
    Flight& flight = landing.flight();
    for (int attempt = 0; attempt < max_loads; ++attempt) {
      flight.disturbed = false;
      flight.value = co_await load_(key);
      // What was put meanwhile is newer than what was loaded.
      if (flight.disturbed && index_.contains(key)) {
        flight.value = index_.at(key)->value;
        flight.kept = true;
        break;
      }
      if (flight.disturbed) continue;
      if (flight.value) {
        keep(key, flight.value);
        flight.kept = true;
      }
      break;
    }
    flight.succeeded = true;
    co_return flight.value;
  }

  void disturb(const Key& key) {
    if (const auto it = flights_.find(key); it != flights_.end()) it->second->disturbed = true;
  }

  void keep(const Key& key, std::shared_ptr<Value> value) {
    const std::size_t bytes = entry_bytes + weigh_(key, *value);
    entries_.push_front(Entry{key, std::move(value), bytes});
    index_[key] = entries_.begin();
    bytes_ += bytes;
    shrink();
  }

  // The one just used stays, however large.
  void shrink() {
    while (bytes_ > max_bytes_ && entries_.size() > 1) {
      bytes_ -= entries_.back().bytes;
      index_.erase(entries_.back().key);
      entries_.pop_back();
    }
  }

  const std::size_t max_bytes_;
  const Load load_;
  const Weigh weigh_;
  std::size_t bytes_ = 0;
  std::list<Entry> entries_;  // most recently used first
  std::unordered_map<Key, typename std::list<Entry>::iterator, Hash> index_;
  std::unordered_map<Key, std::shared_ptr<Flight>, Hash> flights_;
};

}  // namespace causeway
