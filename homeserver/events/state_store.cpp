#include "homeserver/events/state_store.hpp"

#include "homeserver/runtime/bounded_cache.hpp"
#include "homeserver/runtime/loading_cache.hpp"
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

namespace {

using Line = std::pair<RoomNid, std::int32_t>;
using Address = std::pair<RoomNid, StateRef>;
struct AddressHash {
  std::size_t operator()(const Line& line) const {
    return std::hash<RoomNid>{}(line.first) * 31 + std::hash<std::int32_t>{}(line.second);
  }
  std::size_t operator()(const Address& address) const {
    return (*this)(Line(address.first, address.second.line)) * 31 + std::hash<std::int32_t>{}(address.second.version);
  }
};

constexpr std::size_t usual_entry_bytes = 32;
constexpr std::size_t max_remembered_line_bytes = 16 << 20;

}  // namespace

struct StateStore::Impl {
  Impl(db::Database& db, std::size_t max_cached_bytes)
      : database(db),
        states(
            max_cached_bytes, [this](Address address) { return load(address.first, address.second); },
            [](const Address&, const StateMap& state) {
              return state.bucket_count() * (sizeof(StateMap::value_type) + 1);
            }),
        newest(max_remembered_line_bytes) {}

  Task<std::shared_ptr<const StateMap>> load(RoomNid room, StateRef ref) {
    const Line line(room, ref.line);
    const std::int32_t* known = newest.find(line);
    StateMapPtr earlier;
    std::int32_t from = 0;
    if (known && *known < ref.version) {
      from = *known;
      earlier = states.find(Address(room, StateRef{ref.line, from}));
    }
    StateMapPtr state;
    if (earlier) {
      const auto changes = co_await load_changes(room, ref.line, from, ref.version);
      state = changes.empty() ? earlier : apply(*earlier, changes);
    } else {
      state = co_await load_whole(room, ref);
    }
    note_cached(line, ref.version);
    co_return state;
  }

  void note_cached(Line line, std::int32_t version) {
    const std::int32_t* known = newest.find(line);
    if (!known || *known < version) newest.put(line, version);
  }

  Task<StateMapPtr> load_whole(RoomNid room, StateRef ref) {
    auto read = [room, ref](db::Connection& connection) {
      return db::state_at(connection, room, ref.line, ref.version);
    };
    const auto entries = co_await database.run(std::move(read));
    co_return std::make_shared<const StateMap>(entries.begin(), entries.end());
  }

  using Loaded = std::vector<std::pair<Address, std::shared_ptr<const StateMap>>>;
  Task<Loaded> load_main_lines(std::vector<Address> places) {
    std::vector<db::MainLinePlace> asked;
    for (const Address& place : places)
      asked.push_back({place.first, place.second.version});
    auto read = [asked = std::move(asked)](db::Connection& connection) {
      return db::main_line_states(connection, asked);
    };
    const auto found = co_await database.run(std::move(read));
    Loaded loaded;
    for (std::size_t i = 0; i < places.size(); ++i) {
      loaded.emplace_back(places[i], std::make_shared<const StateMap>(found[i].begin(), found[i].end()));
      note_cached(Line(places[i].first, 0), places[i].second.version);
    }
    co_return loaded;
  }

  Task<std::vector<db::StateEntry>> load_changes(RoomNid room, std::int32_t line, std::int32_t from, std::int32_t to) {
    auto read = [room, line, from, to](db::Connection& connection) {
      return db::state_changes(connection, room, line, from, to);
    };
    co_return co_await database.run(std::move(read));
  }

  db::Database& database;
  LoadingCache<Address, const StateMap, AddressHash> states;
  BoundedCache<Line, std::int32_t, AddressHash> newest;  // version of the line that was cached; the map may be gone
};

StateStore::StateStore(db::Database& database, std::size_t max_cached_entries)
    : impl_(std::make_unique<Impl>(database, max_cached_entries * usual_entry_bytes)) {}
StateStore::~StateStore() = default;

Task<StateMapPtr> StateStore::at(RoomNid room, StateRef ref) {
  co_return co_await impl_->states.get(Address(room, ref));
}

Task<std::vector<StateMapPtr>> StateStore::at(std::vector<std::pair<RoomNid, StateRef>> places) {
  std::vector<Address> on_main_line;
  for (const Address& place : places)
    if (place.second.line == 0) on_main_line.push_back(place);
  auto load = [impl = impl_.get()](std::vector<Address> missing) { return impl->load_main_lines(std::move(missing)); };
  co_await impl_->states.fill(std::move(on_main_line), std::move(load));
  std::vector<StateMapPtr> states;
  states.reserve(places.size());
  for (const Address& place : places)
    states.push_back(co_await impl_->states.get(place));
  co_return states;
}

Task<std::vector<EventNid>> StateStore::lookup(RoomNid room, StateRef ref, std::vector<StateKeyNid> keys) {
  if (const StateMapPtr cached = impl_->states.find(Address(room, ref))) {
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
