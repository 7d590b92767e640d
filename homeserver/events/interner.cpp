#include "homeserver/events/interner.hpp"

#include <deque>

#include "homeserver/events/two_way_cache.hpp"
#include "schema/db/tables/interning.hpp"
#include "schema/matrix/assert.hpp"

namespace causeway {

namespace {

constexpr std::size_t usual_entry_bytes = 300;

// A StateKey that borrows its strings.
struct StateKeyView {
  std::string_view type, state_key;
  StateKeyView(std::string_view t, std::string_view k) : type(t), state_key(k) {}
  explicit StateKeyView(const StateKey& key) : type(key.type), state_key(key.state_key) {}
  std::size_t heap_bytes() const { return causeway::heap_bytes(type.size()) + causeway::heap_bytes(state_key.size()); }
  friend bool operator==(const StateKeyView&, const StateKeyView&) = default;
};
struct StateKeyHash {
  std::size_t operator()(const StateKeyView& key) const {
    return std::hash<std::string_view>{}(key.type) * 31 + std::hash<std::string_view>{}(key.state_key);
  }
};

// An identifier by its text.
struct IdView {
  std::string_view text;
  template <class Id>
  explicit IdView(const Id& id) : text(id.str()) {}
  std::size_t heap_bytes() const { return causeway::heap_bytes(text.size()); }
  friend bool operator==(const IdView&, const IdView&) = default;
};
struct IdHash {
  std::size_t operator()(const IdView& id) const { return std::hash<std::string_view>{}(id.text); }
};

// How each kind of name is written and read; `Cache` is where it is kept.
struct UserKind {
  using Name = UserId;
  using Nid = UserNid;
  using Cache = TwoWayCache<UserId, UserNid, IdView, IdHash>;
  static auto intern(db::Connection& c, const std::vector<UserId>& ids) { return db::intern_users(c, ids); }
};
struct ServerKind {
  using Name = ServerName;
  using Nid = ServerNid;
  using Cache = TwoWayCache<ServerName, ServerNid, IdView, IdHash>;
  static auto intern(db::Connection& c, const std::vector<ServerName>& names) { return db::intern_servers(c, names); }
  static auto names(db::Connection& c, const std::vector<ServerNid>& nids) { return db::server_names(c, nids); }
};
struct StateKeyKind {
  using Name = StateKey;
  using Nid = StateKeyNid;
  using Cache = TwoWayCache<StateKey, StateKeyNid, StateKeyView, StateKeyHash>;
  static auto intern(db::Connection& c, const std::vector<StateKey>& keys) {
    std::vector<db::TypeAndStateKey> pairs;
    for (const StateKey& key : keys)
      pairs.emplace_back(key.type, key.state_key);
    return db::intern_state_keys(c, pairs);
  }
  static auto names(db::Connection& c, const std::vector<StateKeyNid>& nids) {
    std::vector<std::pair<StateKeyNid, StateKey>> found;
    for (auto& [nid, key] : db::state_key_names(c, nids)) {
      StateKey name;
      name.type = std::move(key.first);
      name.state_key = std::move(key.second);
      found.emplace_back(nid, std::move(name));
    }
    return found;
  }
};

template <class Kind, class View>
Task<std::vector<typename Kind::Nid>> intern(db::Database& database, typename Kind::Cache& cache,
                                             std::vector<typename Kind::Name> names) {
  using Name = typename Kind::Name;
  std::vector<typename Kind::Nid> nids(names.size());
  std::vector<Name> missing;
  std::vector<std::size_t> places;
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (const auto* nid = cache.find(View(names[i]))) {
      nids[i] = *nid;
    } else {
      missing.push_back(std::move(names[i]));
      places.push_back(i);
    }
  }
  if (missing.empty()) co_return nids;
  auto write = [missing](db::Connection& connection) { return Kind::intern(connection, missing); };
  auto given = co_await database.run(std::move(write));
  for (std::size_t i = 0; i < missing.size(); ++i) {
    nids[places[i]] = given[i];
    cache.insert(std::move(missing[i]), given[i]);
  }
  co_return nids;
}

template <class Kind>
Task<std::vector<typename Kind::Name>> names_of(db::Database& database, typename Kind::Cache& cache,
                                                std::vector<typename Kind::Nid> nids) {
  using Nid = typename Kind::Nid;
  std::vector<typename Kind::Name> names(nids.size());
  std::unordered_map<Nid, std::vector<std::size_t>> places;
  std::vector<Nid> missing;
  for (std::size_t i = 0; i < nids.size(); ++i) {
    if (const auto* name = cache.find(nids[i])) {
      names[i] = *name;
      continue;
    }
    auto& wanted_at = places[nids[i]];
    if (wanted_at.empty()) missing.push_back(nids[i]);
    wanted_at.push_back(i);
  }
  if (missing.empty()) co_return names;
  auto read = [missing](db::Connection& connection) { return Kind::names(connection, missing); };
  auto found = co_await database.run(std::move(read));
  CAUSEWAY_ASSERT(found.size() == missing.size());
  for (auto& [nid, name] : found) {
    for (std::size_t place : places.at(nid))
      names[place] = name;
    cache.insert(std::move(name), nid);
  }
  co_return names;
}

}  // namespace

struct Interner::Impl : std::enable_shared_from_this<Impl> {
  Impl(db::Database& d, std::size_t max_bytes_each)
      : database(d), users(max_bytes_each), state_keys(max_bytes_each), servers(max_bytes_each) {}

  // Takes the next number if there is one, and looks ahead before the last ones are gone.
  std::optional<EventNid> take_event() {
    if (blocks.empty()) return std::nullopt;
    db::EventNidBlock& block = blocks.front();
    EventNid nid{block.begin++};
    --left;
    if (block.begin == block.end) blocks.pop_front();
    return nid;
  }

  Task<> fetch_block() {
    auto next = [](db::Connection& connection) { return db::next_event_nid_block(connection); };
    db::EventNidBlock block = co_await database.run(std::move(next));
    // Two may be fetched at a time and arrive the other way round. Numbers only rise, so the lower one is given up.
    if (block.begin < highest_end) co_return;
    highest_end = block.end;
    left += block.end - block.begin;
    blocks.push_back(block);
  }

  void fetch_ahead(const asio::any_io_executor& executor) {
    if (fetching || left >= low_water) return;
    fetching = true;
    auto self = shared_from_this();
    spawn(executor, fetch_block(), [self](std::exception_ptr) {
      // A failure is met, and told, by whoever finds no number left.
      self->fetching = false;
    });
  }

  static constexpr std::int64_t low_water = 512;

  db::Database& database;
  UserKind::Cache users;
  StateKeyKind::Cache state_keys;
  ServerKind::Cache servers;
  std::deque<db::EventNidBlock> blocks;
  std::int64_t left = 0;
  std::int64_t highest_end = 0;  // of the blocks fetched so far
  bool fetching = false;
};

// As many bytes as so many short names take: long ones are fewer.
Interner::Interner(db::Database& database, std::size_t max_entries_each)
    : impl_(std::make_shared<Impl>(database, max_entries_each * usual_entry_bytes)) {}
Interner::~Interner() = default;

Task<std::vector<UserNid>> Interner::users(std::vector<UserId> ids) {
  return intern<UserKind, IdView>(impl_->database, impl_->users, std::move(ids));
}
Task<std::vector<StateKeyNid>> Interner::state_keys(std::vector<StateKey> keys) {
  return intern<StateKeyKind, StateKeyView>(impl_->database, impl_->state_keys, std::move(keys));
}
Task<std::vector<ServerNid>> Interner::servers(std::vector<ServerName> names) {
  return intern<ServerKind, IdView>(impl_->database, impl_->servers, std::move(names));
}

Task<UserNid> Interner::user(UserId id) {
  std::vector<UserId> one(1, std::move(id));
  auto nids = co_await users(std::move(one));
  co_return nids.front();
}
Task<StateKeyNid> Interner::state_key(StateKey key) {
  std::vector<StateKey> one(1, std::move(key));
  auto nids = co_await state_keys(std::move(one));
  co_return nids.front();
}

std::optional<StateKeyNid> Interner::cached_state_key(std::string_view type, std::string_view state_key) const {
  const StateKeyNid* nid = impl_->state_keys.find(StateKeyView(type, state_key));
  return nid ? std::optional(*nid) : std::nullopt;
}

Task<std::vector<StateKey>> Interner::state_key_names(std::vector<StateKeyNid> nids) {
  return names_of<StateKeyKind>(impl_->database, impl_->state_keys, std::move(nids));
}
Task<std::vector<ServerName>> Interner::server_names(std::vector<ServerNid> nids) {
  return names_of<ServerKind>(impl_->database, impl_->servers, std::move(nids));
}
const StateKey* Interner::cached_state_key_name(StateKeyNid nid) const {
  return impl_->state_keys.find(nid);
}

Task<EventNid> Interner::next_event() {
  auto impl = impl_;
  auto executor = co_await asio::this_coro::executor;
  auto nid = impl->take_event();
  while (!nid) {
    co_await impl->fetch_block();
    nid = impl->take_event();
  }
  impl->fetch_ahead(executor);
  co_return *nid;
}

Task<RoomNid> Interner::next_room() {
  auto next = [](db::Connection& connection) { return db::next_room_nid(connection); };
  co_return co_await impl_->database.run(std::move(next));
}

}  // namespace causeway
