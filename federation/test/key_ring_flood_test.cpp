// Anybody can name servers that don't exist: whose keys are known stay in memory all the same.
#include <gtest/gtest.h>

#include "federation/test/support/peer_kit.hpp"
#include "homeserver/test/support/run_task.hpp"
#include "schema/test/support/test_database.hpp"

namespace causeway::federation {
namespace {

using namespace std::chrono_literals;
using causeway::test::run_task;

TEST(KeyRingFlood, servers_that_are_only_named_push_no_known_keys_out) {
  causeway::test::TestDatabase test_database;
  db::Database database{db::Settings{test_database.url(), 1}};
  asio::io_context reactor;
  ManualClock clock;
  const LocalServer self = test::make_server("us");
  const LocalServer peer = test::make_server("peer");
  test::FakeKeySource source;
  source.publish(peer, clock.now_ms() + std::chrono::milliseconds(24h).count());
  KeyRing ring(database, source, clock, self, 24h);
  const auto known = [&] {
    return run_task(reactor, ring.request_key(peer.name, "ed25519:1")) == peer.key.public_key();
  };
  ASSERT_TRUE(known());
  ASSERT_TRUE(known());
  const auto flood = [&](int first, int last) -> Task<> {
    for (int i = first; i < last; ++i) {
      auto name = ServerName::parse("invented" + std::to_string(i)).value();
      (void)co_await ring.request_key(std::move(name), "ed25519:1");
    }
  };
  run_task(reactor, flood(0, 20'100));
  const auto round_trips = database.round_trips();
  EXPECT_TRUE(known());
  EXPECT_EQ(database.round_trips(), round_trips) << "its keys are still in memory";
}

}  // namespace
}  // namespace causeway::federation
