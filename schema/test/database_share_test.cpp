// Who gets the connections where more is asked of the database than it does at a time.
#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <condition_variable>
#include <mutex>

#include "schema/db/database.hpp"
#include "schema/db/share.hpp"
#include "schema/test/support/test_database.hpp"

namespace causeway::db {
namespace {

namespace asio = boost::asio;

class DatabaseShareTest : public testing::Test {
 protected:
  static Task<void> stand_still(DatabaseShareTest& test, Share share) {
    auto work = [&test, share](Connection&) { test.block(share); };
    co_await test.database.run(std::move(work));
  }
  // As many statements of the share that go on when everything may.
  void start(Share share, int count) {
    for (int i = 0; i < count; ++i)
      spawn(with_share(reactor.get_executor(), share), stand_still(*this, share), [this](std::exception_ptr error) {
        EXPECT_FALSE(error);
        ++ended;
      });
    reactor.restart();
    reactor.poll();
  }
  void block(Share share) {
    std::unique_lock lock(mutex);
    ++running[static_cast<std::size_t>(share)];
    changed.notify_all();
    changed.wait(lock, [this] { return open; });
  }
  void wait_until_running(Share share, int count) {
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return running[static_cast<std::size_t>(share)] >= count; });
  }
  int running_of(Share share) {
    std::lock_guard lock(mutex);
    return running[static_cast<std::size_t>(share)];
  }
  void run_common(int count) {
    auto one = [](Connection& c) { return c.exec("select 1")[0][0].as<int>(); };
    for (int i = 0; i < count; ++i)
      EXPECT_EQ(database.run_blocking(one), 1);
  }
  void finish(int expected) {
    {
      std::lock_guard lock(mutex);
      open = true;
    }
    changed.notify_all();
    const auto work = asio::make_work_guard(reactor);
    reactor.restart();
    while (ended < expected)
      reactor.run_one();
  }

  test::TestDatabase cluster;
  asio::io_context reactor;
  std::mutex mutex;
  std::condition_variable changed;
  bool open = false;
  std::array<int, shares> running{};
  int ended = 0;
  Database database{{.url = cluster.url(), .connections = 4}};
};

TEST_F(DatabaseShareTest, heavy_work_gets_half_of_the_connections_and_all_of_it_never_the_last) {
  start(Share::heavy, 8);
  wait_until_running(Share::heavy, 2);
  run_common(20);
  EXPECT_EQ(running_of(Share::heavy), 2);
  start(Share::heavy_peers, 8);
  wait_until_running(Share::heavy_peers, 1);
  run_common(20);
  EXPECT_EQ(running_of(Share::heavy), 2);
  EXPECT_EQ(running_of(Share::heavy_peers), 1);
  finish(16);
}

Task<std::vector<Share>> shares_on_the_way(Database& database) {
  std::vector<Share> seen(1, current_share());
  auto work = [](Connection& c) { c.exec("select 1"); };
  co_await database.run(std::move(work));
  seen.push_back(current_share());
  asio::steady_timer timer(co_await asio::this_coro::executor, std::chrono::milliseconds(1));
  co_await expiry(timer);
  seen.push_back(current_share());
  co_await yield_once();
  seen.push_back(current_share());
  co_return seen;
}

TEST_F(DatabaseShareTest, the_share_goes_with_the_executor_through_all_that_is_awaited) {
  for (const Share share : {Share::heavy, Share::common, Share::heavy_peers}) {
    const asio::any_io_executor plain = reactor.get_executor();
    const auto executor = share == Share::common ? plain : with_share(plain, share);
    std::vector<Share> seen;
    spawn(executor, shares_on_the_way(database), [&](std::exception_ptr, std::vector<Share> all) {
      seen = std::move(all);
      ++ended;
    });
    EXPECT_EQ(current_share(), Share::common);
    finish(1);
    ended = 0;
    EXPECT_EQ(seen, std::vector<Share>(4, share));
  }
}

}  // namespace
}  // namespace causeway::db
