#include "federation/key_ring.hpp"

#include <spdlog/spdlog.h>

#include "homeserver/runtime/concurrency.hpp"
#include "schema/db/tables/remote_keys.hpp"

namespace causeway::federation {

namespace {

using namespace std::chrono_literals;

constexpr std::size_t max_servers = 20'000;
constexpr std::size_t max_document_bytes = 64 << 20;  // of all documents together
constexpr std::chrono::milliseconds pause_after_success = 10s;
constexpr std::chrono::milliseconds first_pause_after_failure = 5s;
constexpr std::chrono::milliseconds max_pause_after_failure = 1h;

std::chrono::milliseconds pause(unsigned failures) {
  const auto grown = first_pause_after_failure * (std::int64_t{1} << std::min(failures, 20u));
  return std::min<std::chrono::milliseconds>(grown, max_pause_after_failure);
}

}  // namespace

struct KeyRing::Impl {
  struct Entry {
    VerifyKeys keys;
    bool loaded = false;  // from the database
    boost::json::object document;
    std::size_t document_bytes = 0;  // as text
    unsigned failures = 0;
    std::chrono::steady_clock::time_point ask_again_at{};
    std::shared_ptr<Flag> fetching;
  };
  using EntryPtr = std::shared_ptr<Entry>;
  using Purpose = std::function<bool(const VerifyKey&)>;

  Impl(db::Database& db, KeySource& s, const Clock& c, const LocalServer& own, std::chrono::milliseconds validity)
      : database(db), source(s), clock(c), self(own), own_validity(validity) {}

  EntryPtr entry_of(const ServerName& server) {
    const bool is_full = entries.size() >= max_servers || documents_bytes >= max_document_bytes;
    if (is_full && !entries.contains(server)) forget_all();
    auto& entry = entries[server];
    if (!entry) entry = std::make_shared<Entry>();
    return entry;
  }

  // But those that are being fetched.
  void forget_all() {
    std::erase_if(entries, [](const auto& item) { return !item.second->fetching; });
    documents_bytes = 0;
    for (const auto& [server, entry] : entries)
      documents_bytes += entry->document_bytes;
  }

  Task<> load(ServerName server, EntryPtr entry) {
    if (entry->loaded) co_return;
    auto read = [name = server.str()](db::Connection& c) { return db::load_remote_keys(c, name); };
    auto rows = co_await database.run(std::move(read));
    entry->loaded = true;
    // What was fetched meanwhile is newer: emplace does not replace it.
    for (auto& row : rows)
      entry->keys.emplace(std::move(row.key_id),
                          VerifyKey{std::move(row.public_key), row.valid_until_ts, row.expired_ts});
  }

  static const VerifyKey* find(const Entry& entry, const std::string& key_id, const Purpose& purpose) {
    const auto found = entry.keys.find(key_id);
    return found != entry.keys.end() && purpose(found->second) ? &found->second : nullptr;
  }

  Task<std::optional<std::string>> key(ServerName server, std::string key_id, Purpose purpose) {
    if (server == self.name) {
      if (key_id == self.key.key_id()) co_return self.key.public_key();
      co_return std::nullopt;
    }
    auto entry = entry_of(server);
    co_await load(server, entry);
    if (const auto* known = find(*entry, key_id, purpose)) co_return known->public_key;
    co_await refresh(server, entry);
    if (const auto* known = find(*entry, key_id, purpose)) co_return known->public_key;
    co_return std::nullopt;
  }

  // Fetches unless it is too soon; whoever wants the same server's keys meanwhile waits for this fetch.
  Task<> refresh(ServerName server, EntryPtr entry) {
    if (auto underway = entry->fetching) {
      co_await underway->wait();
      co_return;
    }
    if (clock.steady() < entry->ask_again_at) co_return;
    auto done = std::make_shared<Flag>();
    entry->fetching = done;
    try {
      co_await fetch(server, entry);
    } catch (const std::exception& error) {
      spdlog::error("federation: keys of {}: {}", server.str(), error.what());
    }
    entry->fetching = nullptr;
    done->set();
  }

  Task<> fetch(ServerName server, EntryPtr entry) {
    auto document = co_await source.server_keys(server);
    const auto now = clock.now_ms();
    auto keys = document ? read_server_keys(*document, server, now) : Result<VerifyKeys>(document.error());
    if (!keys) {
      entry->ask_again_at = clock.steady() + pause(entry->failures++);
      spdlog::info("federation: keys of {}: {}", server.str(), keys.error().message);
      co_return;
    }
    entry->failures = 0;
    entry->ask_again_at = clock.steady() + pause_after_success;
    entry->document = std::move(*document);
    const auto bytes_before = std::exchange(entry->document_bytes, boost::json::serialize(entry->document).size());
    if (const auto held = entries.find(server); held != entries.end() && held->second == entry)
      documents_bytes += entry->document_bytes - bytes_before;
    for (const auto& [id, fetched] : *keys)
      entry->keys.insert_or_assign(id, fetched);
    co_await store(server, std::move(*keys));
  }

  Task<> store(ServerName server, VerifyKeys keys) {
    std::vector<db::RemoteKey> rows;
    for (auto& [id, key] : keys)
      rows.push_back(db::RemoteKey{id, std::move(key.public_key), key.valid_until_ts, key.expired_ts});
    auto write = [name = server.str(), stored = std::move(rows)](db::Connection& c) {
      db::store_remote_keys(c, name, stored);
    };
    co_await database.run(std::move(write));
  }

  db::Database& database;
  KeySource& source;
  const Clock& clock;
  const LocalServer& self;
  const std::chrono::milliseconds own_validity;
  std::unordered_map<ServerName, EntryPtr> entries;
  std::size_t documents_bytes = 0;  // of the entries
};

KeyRing::KeyRing(db::Database& database, KeySource& source, const Clock& clock, const LocalServer& self,
                 std::chrono::milliseconds own_validity)
    : impl_(std::make_unique<Impl>(database, source, clock, self, own_validity)) {}
KeyRing::~KeyRing() = default;

Task<std::optional<std::string>> KeyRing::request_key(ServerName server, std::string key_id) {
  Impl::Purpose purpose = [this](const VerifyKey& key) { return key.good_for_requests(impl_->clock.now_ms()); };
  return impl_->key(std::move(server), std::move(key_id), std::move(purpose));
}

Task<std::optional<std::string>> KeyRing::event_key(ServerName server, std::string key_id, Timestamp origin_server_ts) {
  Impl::Purpose purpose = [origin_server_ts](const VerifyKey& key) { return key.good_for_event(origin_server_ts); };
  return impl_->key(std::move(server), std::move(key_id), std::move(purpose));
}

boost::json::object KeyRing::own_keys() const {
  return own_server_keys(impl_->self, impl_->clock.now_ms() + impl_->own_validity.count());
}

Task<std::optional<boost::json::object>> KeyRing::document(ServerName server, Timestamp minimum_valid_until) {
  if (server == impl_->self.name) co_return own_keys();
  auto entry = impl_->entry_of(server);
  const auto valid_until = json::find_int(entry->document, "valid_until_ts").value_or(0);
  if (valid_until < minimum_valid_until) co_await impl_->refresh(server, entry);
  if (entry->document.empty()) co_return std::nullopt;
  co_return entry->document;
}

}  // namespace causeway::federation
