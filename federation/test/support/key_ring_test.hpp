// The fixture of tests with a key ring on a database, and a peer that publishes its keys.
#pragma once

#include <gtest/gtest.h>

#include "federation/test/support/peer_kit.hpp"
#include "homeserver/runtime/cpu_pool.hpp"
#include "homeserver/runtime/metrics.hpp"
#include "homeserver/test/support/run_task.hpp"
#include "schema/test/support/test_database.hpp"

namespace causeway::federation::test {

struct KeysTest : testing::Test {
  KeysTest() { source.publish(peer, clock.now_ms() + std::chrono::milliseconds(std::chrono::hours(24)).count()); }

  std::optional<std::string> request_key(const std::string& id = "ed25519:1") {
    return causeway::test::run_task(reactor, ring.request_key(peer.name, id));
  }
  std::optional<std::string> event_key(Timestamp at) {
    return causeway::test::run_task(reactor, ring.event_key(peer.name, "ed25519:1", at));
  }
  Timestamp after(std::chrono::milliseconds time) const { return clock.now_ms() + time.count(); }

  causeway::test::TestDatabase test_database;
  db::Database database{db::Settings{test_database.url(), 1}};
  asio::io_context reactor;
  ManualClock clock;
  Metrics metrics;
  CpuPool cpu{1};
  const LocalServer self = make_server("us");
  const LocalServer peer = make_server("peer");
  FakeKeySource source;
  KeyRing ring{database, source, clock, self, std::chrono::hours(24)};
};

}  // namespace causeway::federation::test
