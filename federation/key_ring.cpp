#include "federation/key_ring.hpp"

#include <algorithm>
#include <list>
#include <set>

#include "homeserver/runtime/concurrency.hpp"
#include "schema/db/tables/remote_keys.hpp"
#include "schema/events/signing.hpp"
#include "schema/json/json.hpp"
#include "schema/log.hpp"

namespace causeway::federation {

namespace {

using namespace std::chrono_literals;

// Servers whose keys are known, and others: anybody can name servers that have none, which push out none that has.
constexpr std::size_t max_servers = 20'000;
constexpr std::size_t max_keyless_servers = 5'000;
// Larger ones are not told to others, nor are their keys kept for long.
constexpr std::size_t max_stored_document = 16 * 1024;
// What others ask may not take all the places that wait for other servers. So many of their questions wait at a time.
constexpr std::size_t max_lookups = 32;
// Of one server, all together.
constexpr std::size_t max_documents = 8;
constexpr std::size_t max_stored_documents = 2 * max_stored_document;
constexpr std::chrono::milliseconds pause_after_success = 10s;
constexpr std::chrono::milliseconds first_pause_after_failure = 5s;
constexpr std::chrono::milliseconds max_pause_after_failure = 1h;

std::chrono::milliseconds pause(unsigned failures) {
  const auto grown = first_pause_after_failure * (std::int64_t{1} << std::min(failures, 20u));
  return std::min<std::chrono::milliseconds>(grown, max_pause_after_failure);
}

std::set<std::string> key_ids(const boost::json::object& document) {
  std::set<std::string> ids;
  for (const char* kind : {"verify_keys", "old_verify_keys"})
    if (const auto* keys = json::find_object(document, kind))
      for (const auto& [id, key] : *keys)
        ids.emplace(id);
  return ids;
}

std::set<std::string> key_ids(const std::string& document) {
  const auto parsed = json::parse_object(document);
  return parsed ? key_ids(*parsed) : std::set<std::string>();
}

// Newest first.
bool answers(const std::vector<boost::json::object>& documents, Timestamp valid_until,
             const std::set<std::string>& wanted_keys) {
  if (documents.empty()) return false;
  if (json::find_int(documents.front(), "valid_until_ts").value_or(0) < valid_until) return false;
  std::set<std::string> told;
  for (const auto& document : documents)
    told.merge(key_ids(document));
  return std::ranges::includes(told, wanted_keys);
}

// The newest document and, of those before it, as many as have keys that no newer one has. Newest first.
std::vector<std::string> worth_keeping(std::string newest, std::vector<std::string> before) {
  std::set<std::string> told = key_ids(newest);
  std::size_t bytes = newest.size();
  std::vector<std::string> kept;
  kept.push_back(std::move(newest));
  for (auto& document : before) {
    auto ids = key_ids(document);
    if (std::ranges::includes(told, ids)) continue;
    bytes += document.size();
    if (kept.size() == max_documents || bytes > max_stored_documents) break;
    told.merge(ids);
    kept.push_back(std::move(document));
  }
  return kept;
}

}  // namespace

struct KeyRing::Impl {
  // Servers by when they were asked for, the most recent first.
  struct Used {
    std::list<ServerName> servers;
    std::size_t most = 0;
  };
  struct Entry {
    VerifyKeys keys;
    bool loaded = false;  // from the database
    unsigned failures = 0;
    std::chrono::steady_clock::time_point ask_again_at{}, ask_notaries_again_at{};
    std::shared_ptr<Flag> fetching, asking_notaries;
    Used* listed = nullptr;  // where its place is `used`
    std::list<ServerName>::iterator used;
    bool busy() const { return fetching || asking_notaries; }
  };
  using EntryPtr = std::shared_ptr<Entry>;
  using Purpose = std::function<bool(const VerifyKey&)>;

  Impl(db::Database& db, KeySource& s, const Clock& c, const LocalServer& own, std::chrono::milliseconds validity,
       std::vector<ServerName> n)
      : database(db), source(s), clock(c), self(own), own_validity(validity), notaries(std::move(n)) {}

  EntryPtr entry_of(const ServerName& server) {
    auto& made = entries[server];
    if (!made) {
      made = std::make_shared<Entry>();
      made->listed = &keyless;
      made->used = keyless.servers.insert(keyless.servers.begin(), server);
    }
    const EntryPtr entry = made;
    Used& list = entry->keys.empty() ? keyless : with_keys;
    list.servers.splice(list.servers.begin(), entry->listed->servers, entry->used);
    entry->listed = &list;
    drop_oldest(list);
    return entry;
  }

  // Not those that are being asked, nor the one just used.
  void drop_oldest(Used& list) {
    auto oldest = list.servers.end();
    while (list.servers.size() > list.most && --oldest != list.servers.begin()) {
      const auto found = entries.find(*oldest);
      if (found->second->busy()) continue;
      entries.erase(found);
      oldest = list.servers.erase(oldest);
    }
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
    if (entry->failures == 0) co_return std::nullopt;
    co_await refresh_from_notaries(server, entry);
    if (const auto* known = find(*entry, key_id, purpose)) co_return known->public_key;
    co_return std::nullopt;
  }

  // Asks the server itself unless it is too soon.
  Task<> refresh(ServerName server, EntryPtr entry) {
    if (!entry->fetching && clock.steady() < entry->ask_again_at) co_return;
    co_await share(server, entry, &Entry::fetching, &Impl::fetch);
  }

  Task<> refresh_from_notaries(ServerName server, EntryPtr entry) {
    if (!entry->asking_notaries && clock.steady() < entry->ask_notaries_again_at) co_return;
    co_await share(server, entry, &Entry::asking_notaries, &Impl::fetch_from_notaries);
  }

  // Whoever wants the same of the same server meanwhile waits for this one.
  Task<> share(ServerName server, EntryPtr entry, std::shared_ptr<Flag> Entry::*underway,
               Task<> (Impl::*work)(ServerName, EntryPtr)) {
    if (auto done = (*entry).*underway) {
      co_await done->wait();
      co_return;
    }
    auto done = std::make_shared<Flag>();
    (*entry).*underway = done;
    try {
      co_await (this->*work)(server, entry);
    } catch (const std::exception& error) {
      log::error("federation: keys of {}: {}", server.str(), error.what());
    }
    (*entry).*underway = nullptr;
    done->set();
  }

  Task<> fetch(ServerName server, EntryPtr entry) {
    auto document = co_await source.server_keys(server);
    auto keys = document ? read_server_keys(*document, server, clock.now_ms()) : Result<VerifyKeys>(document.error());
    if (!keys) {
      entry->ask_again_at = clock.steady() + pause(entry->failures++);
      log::info("federation: keys of {}: {}", server.str(), keys.error().message);
      co_return;
    }
    entry->failures = 0;
    entry->ask_again_at = clock.steady() + pause_after_success;
    for (const auto& [id, fetched] : *keys)
      entry->keys.insert_or_assign(id, fetched);
    forget_shortest(entry->keys);
    co_await store(server, std::move(*keys), boost::json::serialize(*document));
  }

  // A server that never stops making new keys.
  static void forget_shortest(VerifyKeys& keys) {
    while (keys.size() > db::max_keys_of_server)
      keys.erase(std::ranges::min_element(keys, {}, [](const auto& held) { return held.second.valid_until_ts; }));
  }

  // A notary may know less than we do; a server alone takes back what it said of its keys.
  Task<> fetch_from_notaries(ServerName server, EntryPtr entry) {
    auto keys = co_await ask_notaries(server);
    entry->ask_notaries_again_at = clock.steady() + pause(entry->failures);
    std::erase_if(keys, [&](const auto& told) {
      const auto known = entry->keys.find(told.first);
      return known != entry->keys.end() && !says_more(told.second, known->second);
    });
    for (const auto& [id, told] : keys)
      entry->keys.insert_or_assign(id, told);
    forget_shortest(entry->keys);
    co_await store(server, std::move(keys), {});
  }

  // A key that has expired stays so.
  static bool says_more(const VerifyKey& told, const VerifyKey& known) {
    if (told.expired_ts.has_value() != known.expired_ts.has_value()) return told.expired_ts.has_value();
    return told.valid_until_ts > known.valid_until_ts;
  }

  bool is_notary(const ServerName& server) const { return std::ranges::find(notaries, server) != notaries.end(); }

  // What the first notary says that knows anything. None is asked about another: they would wait for each other's keys.
  // spec: server-server-api#querying-keys-through-another-server
  Task<VerifyKeys> ask_notaries(ServerName server) {
    VerifyKeys keys;
    if (is_notary(server)) co_return keys;
    for (const auto& notary : notaries) {
      if (notary == self.name) continue;
      auto documents = co_await source.query_keys(notary, server);
      if (!documents) {
        log::info("federation: keys of {} from {}: {}", server.str(), notary.str(), documents.error().message);
        continue;
      }
      for (const auto& document : *documents) {
        const bool vouched_for = co_await is_signed_by(notary, document);
        if (vouched_for) add(keys, read_server_keys(document, server, clock.now_ms()));
      }
      if (!keys.empty()) break;
    }
    co_return keys;
  }

  static void add(VerifyKeys& keys, Result<VerifyKeys> told) {
    if (!told) return;
    for (auto& [id, key] : *told) {
      const auto [known, is_new] = keys.try_emplace(id, key);
      if (!is_new && says_more(key, known->second)) known->second = std::move(key);
    }
  }

  Task<bool> is_signed_by(ServerName notary, const boost::json::object& document) {
    const auto signatures = signatures_of(document, notary);
    for (const auto& signature : signatures) {
      Purpose purpose = [this](const VerifyKey& key) { return key.good_for_requests(clock.now_ms()); };
      const auto public_key = co_await key(notary, signature.key_id, std::move(purpose));
      if (public_key && verify_json(document, notary.str(), signature.key_id, *public_key)) co_return true;
    }
    co_return false;
  }

  // `published`: what its server published itself, if it did.
  Task<> store(ServerName server, VerifyKeys keys, std::string published) {
    std::vector<db::RemoteKey> rows;
    for (auto& [id, key] : keys)
      rows.push_back(db::RemoteKey{id, std::move(key.public_key), key.valid_until_ts, key.expired_ts});
    auto write = [name = server.str(), stored = std::move(rows), document = std::move(published)](db::Connection& c) {
      if (document.size() > max_stored_document) return;
      db::store_remote_keys(c, name, stored);
      if (document.empty()) return;
      db::store_key_documents(c, name, worth_keeping(document, db::key_documents(c, name)));
    };
    co_await database.run(std::move(write));
  }

  Task<std::vector<boost::json::object>> stored_documents(ServerName server) {
    auto read = [name = server.str()](db::Connection& c) { return db::key_documents(c, name); };
    const auto texts = co_await database.run(std::move(read));
    std::vector<boost::json::object> documents;
    for (const auto& text : texts)
      documents.push_back(std::move(json::parse_object(text).value()));
    co_return documents;
  }

  db::Database& database;
  KeySource& source;
  const Clock& clock;
  const LocalServer& self;
  const std::chrono::milliseconds own_validity;
  const std::vector<ServerName> notaries;
  std::unordered_map<ServerName, EntryPtr> entries;
  std::size_t lookups = 0;  // for others, under way
  Used with_keys{{}, max_servers}, keyless{{}, max_keyless_servers};
};

KeyRing::KeyRing(db::Database& database, KeySource& source, const Clock& clock, const LocalServer& self,
                 std::chrono::milliseconds own_validity, std::vector<ServerName> notaries)
    : impl_(std::make_unique<Impl>(database, source, clock, self, own_validity, std::move(notaries))) {}
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

Task<std::vector<boost::json::object>> KeyRing::documents(ServerName server, Timestamp minimum_valid_until,
                                                          std::set<std::string> wanted_keys) {
  std::vector<boost::json::object> found;
  if (server == impl_->self.name) {
    found.push_back(own_keys());
    co_return found;
  }
  found = co_await impl_->stored_documents(server);
  if (answers(found, minimum_valid_until, wanted_keys)) co_return found;
  if (impl_->lookups >= max_lookups) co_return found;
  ++impl_->lookups;
  try {
    auto entry = impl_->entry_of(server);
    co_await impl_->load(server, entry);
    co_await impl_->refresh(server, entry);
  } catch (...) {
    --impl_->lookups;
    throw;
  }
  --impl_->lookups;
  co_return co_await impl_->stored_documents(server);
}

}  // namespace causeway::federation
