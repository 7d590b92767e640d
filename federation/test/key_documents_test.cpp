// What this server keeps and tells of others' keys as a notary, and how much of it.
#include "federation/test/support/key_ring_test.hpp"
#include "homeserver/runtime/concurrency.hpp"
#include "schema/db/tables/remote_keys.hpp"

namespace causeway::federation {
namespace {

using namespace std::chrono_literals;
using causeway::test::run_task;
using test::KeysTest;

TEST_F(KeysTest, the_last_document_is_told_after_a_restart_though_its_server_is_gone) {
  const auto published = source.documents[peer.name];
  const std::vector<boost::json::object> only(1, published);
  EXPECT_EQ(run_task(reactor, ring.documents(peer.name, clock.now_ms())), only);
  source.documents.clear();
  clock.advance(25h);
  KeyRing second(database, source, clock, self, 24h);
  EXPECT_EQ(run_task(reactor, second.documents(peer.name, clock.now_ms())), only);
  EXPECT_EQ(source.asked, 2);
}

struct RotatingKeysTest : KeysTest {
  // What the server publishes from now on, and what is told of it then.
  boost::json::object publish(const std::string& key_id, std::size_t padding = 0) {
    clock.advance(1h);
    auto document = own_server_keys(test::make_server("peer", key_id), after(24h));
    if (padding > 0) {
      const auto key = crypto::SigningKey::generate(key_id);
      document = own_server_keys(LocalServer{peer.name, key}, after(24h));
      document["padding"] = std::string(padding, 'x');
      document.erase("signatures");
      sign_json(document, "peer", key);
    }
    source.documents[peer.name] = document;
    return document;
  }
  std::vector<boost::json::object> told() { return run_task(reactor, ring.documents(peer.name, after(24h))); }
};

TEST_F(RotatingKeysTest, a_key_that_a_server_no_longer_tells_of_is_still_told) {
  const auto first = publish("ed25519:a");
  EXPECT_EQ(told(), std::vector{first});
  const auto second = publish("ed25519:b");
  EXPECT_EQ(told(), (std::vector{second, first}));
  const auto third = publish("ed25519:b");
  EXPECT_EQ(told(), (std::vector{third, first})) << "the second had no key that the third has not";
  EXPECT_TRUE(run_task(reactor, ring.event_key(peer.name, "ed25519:a", clock.now_ms())));
}

TEST_F(RotatingKeysTest, a_key_that_is_asked_for_and_not_here_is_looked_for) {
  const auto first = publish("ed25519:a");
  EXPECT_EQ(told(), std::vector{first});
  const auto second = publish("ed25519:b");
  const auto asked_for = [this](std::set<std::string> keys) {
    return run_task(reactor, ring.documents(peer.name, clock.now_ms(), std::move(keys)));
  };
  EXPECT_EQ(asked_for({"ed25519:a"}), std::vector{first});
  EXPECT_EQ(asked_for({"ed25519:a", "ed25519:b"}), (std::vector{second, first}));
}

TEST_F(RotatingKeysTest, of_a_server_that_never_stops_rotating_its_keys_only_so_much_is_kept) {
  for (int i = 0; i < 20; ++i) {
    (void)publish("ed25519:" + std::to_string(i));
    EXPECT_LE(told().size(), 8u);
  }
  for (int i = 20; i < 30; ++i) {
    (void)publish("ed25519:" + std::to_string(i), 10'000);
    std::size_t bytes = 0;
    for (const auto& document : told())
      bytes += boost::json::serialize(document).size();
    EXPECT_LE(bytes, 32u * 1024);
  }
}

TEST_F(KeysTest, so_many_questions_of_others_wait_for_other_servers_at_a_time) {
  source.held = std::make_shared<Flag>();
  constexpr int asking = 40;
  int answered = 0;
  for (int i = 0; i < asking; ++i) {
    const auto server = ServerName::trusted("slow" + std::to_string(i));
    spawn(reactor, ring.documents(server, clock.now_ms()),
          [&](std::exception_ptr, std::vector<boost::json::object>) { ++answered; });
  }
  while (answered + source.asked < asking)
    reactor.run_one();
  EXPECT_EQ(source.asked, 32);
  source.held->set();
  while (answered < asking)
    reactor.run_one();
  EXPECT_TRUE(request_key()) << "what joins need does not count";
}

TEST_F(KeysTest, of_servers_that_share_no_room_only_the_latest_are_kept) {
  auto store = [](db::Connection& c) {
    const std::vector<std::string> document(1, "{}");
    for (int i = 0; i < db::max_documents_of_strangers + 5; ++i) {
      const std::string server = "stranger" + std::to_string(i);
      db::store_remote_keys(c, server, {db::RemoteKey{"ed25519:1", std::string(32, 'k'), 1, {}}});
      db::store_key_documents(c, server, document);
    }
  };
  database.run_blocking(store);
  const auto kept = [this](int i) {
    const std::string server = "stranger" + std::to_string(i);
    auto load = [server](db::Connection& c) {
      return std::pair(db::load_remote_keys(c, server).size(), db::key_documents(c, server).size());
    };
    return database.run_blocking(load);
  };
  EXPECT_EQ(kept(0), std::pair(std::size_t{0}, std::size_t{0}));
  EXPECT_EQ(kept(db::max_documents_of_strangers + 4), std::pair(std::size_t{1}, std::size_t{1}));
}

TEST_F(RotatingKeysTest, of_the_keys_of_one_server_so_many_are_kept_as_are_valid_longest) {
  const auto count = [this] {
    auto load = [](db::Connection& c) { return db::load_remote_keys(c, "peer").size(); };
    return database.run_blocking(load);
  };
  for (int i = 0; i < db::max_keys_of_server + 5; ++i) {
    const std::string id = "ed25519:" + std::to_string(i);
    (void)publish(id);
    EXPECT_TRUE(request_key(id));
  }
  EXPECT_EQ(count(), static_cast<std::size_t>(db::max_keys_of_server));
  EXPECT_FALSE(run_task(reactor, ring.event_key(peer.name, "ed25519:0", 0)));
  EXPECT_TRUE(run_task(reactor, ring.event_key(peer.name, "ed25519:100", 0)));
}

}  // namespace
}  // namespace causeway::federation
