#include "homeserver/rooms/state_store.hpp"

#include "homeserver/rooms/state_cache.hpp"
#include "schema/db/tables/room_state.hpp"

namespace causeway {

namespace {

EventNid holder(const StateMap& state, StateKeyNid key) {
  const auto found = state.find(key);
  return found == state.end() ? EventNid{} : found->second;
}

std::vector<std::pair<StateKeyNid, EventNid>> compare(const StateMap& from, const StateMap& to) {
  std::vector<std::pair<StateKeyNid, EventNid>> difference;
  for (const auto& [key, event] : to)
    if (holder(from, key) != event) difference.emplace_back(key, event);
  for (const auto& [key, event] : from)
    if (!to.contains(key)) difference.emplace_back(key, EventNid{});
  return difference;
}

StateMapPtr apply(const StateMap& state, const std::vector<db::StateEntry>& changes) {
  auto changed = std::make_shared<StateMap>(state);
  for (const auto& [key, event] : changes) {
    if (event == EventNid{})
      changed->erase(key);
    else
      (*changed)[key] = event;
  }
  return changed;
}

}  // namespace

struct StateStore::Impl {
  Impl(db::Database& db, std::size_t max_cached_entries) : database(db), cache(max_cached_entries) {}

  Task<StateMapPtr> load(RoomNid room, StateRef ref) {
    auto read = [room, ref](db::Connection& connection) {
      return db::state_at(connection, room, ref.line, ref.version);
    };
    const auto entries = co_await database.run(std::move(read));
    co_return std::make_shared<const StateMap>(entries.begin(), entries.end());
  }

  Task<std::vector<db::StateEntry>> load_changes(RoomNid room, std::int32_t line, std::int32_t from, std::int32_t to) {
    auto read = [room, line, from, to](db::Connection& connection) {
      return db::state_changes(connection, room, line, from, to);
    };
    co_return co_await database.run(std::move(read));
  }

  db::Database& database;
  StateCache cache;
};

StateStore::StateStore(db::Database& database, std::size_t max_cached_entries)
    : impl_(std::make_unique<Impl>(database, max_cached_entries)) {}
StateStore::~StateStore() = default;

void StateStore::remember(RoomNid room, StateRef ref, StateMapPtr state) {
  impl_->cache.put(room, ref, std::move(state));
}

Task<StateMapPtr> StateStore::at(RoomNid room, StateRef ref) {
  if (StateMapPtr cached = impl_->cache.find(room, ref)) co_return cached;
  StateMapPtr state;
  if (const auto earlier = impl_->cache.find_earlier(room, ref)) {
    const auto changes = co_await impl_->load_changes(room, ref.line, earlier->version, ref.version);
    state = changes.empty() ? earlier->state : apply(*earlier->state, changes);
  } else {
    state = co_await impl_->load(room, ref);
  }
  impl_->cache.put(room, ref, state);
  co_return state;
}

Task<std::vector<EventNid>> StateStore::lookup(RoomNid room, StateRef ref, std::vector<StateKeyNid> keys) {
  if (const StateMapPtr cached = impl_->cache.find(room, ref)) {
    std::vector<EventNid> holders;
    for (StateKeyNid key : keys)
      holders.push_back(holder(*cached, key));
    co_return holders;
  }
  auto read = [room, ref, keys = std::move(keys)](db::Connection& connection) {
    return db::state_holders(connection, room, ref.line, ref.version, keys);
  };
  co_return co_await impl_->database.run(std::move(read));
}

Task<std::vector<std::pair<StateKeyNid, EventNid>>> StateStore::changed(RoomNid room, std::int32_t line,
                                                                        std::int32_t from, std::int32_t to) {
  if (from >= to) co_return std::vector<std::pair<StateKeyNid, EventNid>>();
  co_return co_await impl_->load_changes(room, line, from, to);
}

Task<std::vector<std::pair<StateKeyNid, EventNid>>> StateStore::difference(RoomNid room, StateRef from, StateRef to) {
  if (from == to) co_return std::vector<std::pair<StateKeyNid, EventNid>>();
  // The main line stands on no other, so its own rows say it all.
  if (from.line == 0 && to.line == 0 && from.version < to.version)
    co_return co_await changed(room, 0, from.version, to.version);
  const StateMapPtr before = co_await at(room, from);
  const StateMapPtr after = co_await at(room, to);
  co_return compare(*before, *after);
}

}  // namespace causeway
