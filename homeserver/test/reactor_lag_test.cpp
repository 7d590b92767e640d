// How late the reactor is, on a real one. What it is late for is measured here too; nothing depends on how long that
// is.
#include "homeserver/runtime/reactor_lag.hpp"

#include <gmock/gmock.h>
#include <sys/eventfd.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <future>

#include "homeserver/test/support/busy.hpp"

namespace causeway {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;
using test::be_busy_for;
using test::processor_time;
using testing::HasSubstr;

class ReactorLagTest : public testing::Test {
 protected:
  // Until a measurement has ended.
  void run() {
    const std::size_t before = measured.size();
    reactor.restart();
    while (measured.size() == before && reactor.run_one() > 0) {
    }
  }

  asio::io_context reactor;
  Metrics metrics;
  std::vector<Clock::duration> measured;
  Clock::time_point ended{};  // the last of them
  std::unique_ptr<ReactorLag> lag =
      std::make_unique<ReactorLag>(reactor.get_executor(), metrics, [this](auto, auto until, auto late) {
        measured.push_back(late);
        ended = until;
      });
};

TEST_F(ReactorLagTest, is_at_least_what_a_handler_was_busy_for) {
  lag->measure(Clock::now());
  asio::post(reactor, [] { be_busy_for(30ms); });
  run();
  ASSERT_EQ(measured.size(), 1);
  EXPECT_GE(measured[0], 30ms);
  EXPECT_EQ(lag->lag(ended), measured[0]);
  EXPECT_THAT(metrics.text(), HasSubstr("causeway_reactor_lag_seconds_count 1"));
}

// Many more than the reactor fetches at a time.
TEST_F(ReactorLagTest, counts_every_socket_that_was_ready_before) {
  lag->measure(Clock::now() - 1s);
  run();
  std::vector<asio::posix::stream_descriptor> sockets;
  int turns = 0;
  for (int i = 0; i < 400; ++i) {
    auto& socket = sockets.emplace_back(reactor, eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    socket.async_wait(asio::posix::descriptor_base::wait_read, [&](const boost::system::error_code& error) {
      if (error) return;
      ++turns;
      be_busy_for(20us);
    });
  }
  for (auto& socket : sockets)
    eventfd_write(socket.native_handle(), 1);
  lag->measure(Clock::now());
  run();
  EXPECT_EQ(turns, 400);
  ASSERT_EQ(measured.size(), 2);
  EXPECT_GE(measured[1], 400 * 20us);
}

TEST_F(ReactorLagTest, grows_while_a_measurement_is_under_way) {
  lag->measure(Clock::now());
  be_busy_for(10ms);
  EXPECT_GE(lag->lag(Clock::now()), 10ms);
  be_busy_for(10ms);
  EXPECT_GE(lag->lag(Clock::now()), 20ms);
}

// As on a machine that others keep busy: fewer requests would not make it come back sooner.
TEST_F(ReactorLagTest, is_not_the_time_in_which_the_reactor_did_nothing) {
  const auto before = processor_time();
  lag->measure(Clock::now());
  asio::post(reactor, [] {
    std::promise<void> never;
    never.get_future().wait_for(50ms);
  });
  run();
  EXPECT_LE(measured[0], processor_time() - before);
}

TEST_F(ReactorLagTest, is_forgotten_once_nothing_was_ready_for_a_while) {
  EXPECT_EQ(lag->lag(Clock::now()), 0s);
  lag->measure(Clock::now());
  asio::post(reactor, [] { be_busy_for(30ms); });
  run();
  EXPECT_EQ(lag->lag(ended + 9ms), measured[0]);
  EXPECT_EQ(lag->lag(ended + 11ms), 0s);
}

TEST_F(ReactorLagTest, is_what_was_measured_before_while_the_next_measurement_is_under_way) {
  lag->measure(Clock::now() - 1s);
  asio::post(reactor, [] { be_busy_for(30ms); });
  run();
  lag->measure(ended + 9ms);
  EXPECT_GE(lag->lag(ended), 30ms);
  run();
  const auto before = processor_time();
  lag->measure(ended + 20ms);
  const auto late = lag->lag(ended);
  EXPECT_LE(late, processor_time() - before) << "after a pause";
}

TEST_F(ReactorLagTest, one_measurement_at_a_time_and_no_more_than_every_few_milliseconds) {
  const auto begin = Clock::now() - 1s;
  for (int i = 0; i < 100; ++i)
    lag->measure(begin + 1ms * i);
  run();
  for (int i = 0; i < 100; ++i)
    lag->measure(begin + 4ms);
  reactor.restart();
  while (reactor.poll() > 0) {
  }
  EXPECT_EQ(measured.size(), 1);
  lag->measure(begin + 5ms);
  run();
  EXPECT_EQ(measured.size(), 2);
}

TEST_F(ReactorLagTest, measures_nothing_by_itself) {
  lag->measure(Clock::now());
  run();
  reactor.restart();
  EXPECT_EQ(reactor.run(), 0) << "there is nothing to wait for";
}

TEST_F(ReactorLagTest, nobody_is_told_once_it_is_gone) {
  lag->measure(Clock::now());
  lag.reset();
  reactor.restart();
  reactor.run();
  EXPECT_TRUE(measured.empty());
}

}  // namespace
}  // namespace causeway
