#include "schema/async/task.hpp"

#include <gtest/gtest.h>

#include <boost/asio/ip/tcp.hpp>
#include <stdexcept>
#include <thread>

#include "schema/db/share.hpp"

namespace causeway {
namespace {

class TaskTest : public ::testing::Test {
 protected:
  template <class T>
  T run(Task<T> task) {
    std::optional<T> result;
    std::exception_ptr error;
    spawn(reactor_, std::move(task), [&](std::exception_ptr e, T value) {
      error = e;
      result = std::move(value);
    });
    reactor_.run();
    reactor_.restart();
    if (error) std::rethrow_exception(error);
    return std::move(*result);
  }

  asio::io_context reactor_;
};

Task<int> at_once(int value) {
  co_return value;
}
Task<int> later(int value) {
  co_await yield_once();
  co_return value;
}
Task<int> failing() {
  co_await yield_once();
  throw std::runtime_error("as arranged");
}

// Says that it was destroyed.
class Witness {
 public:
  explicit Witness(bool& gone) : gone_(&gone) {}
  Witness(Witness&& other) noexcept : gone_(std::exchange(other.gone_, nullptr)) {}
  Witness& operator=(Witness&&) = delete;
  ~Witness() {
    if (gone_) *gone_ = true;
  }

 private:
  bool* gone_;
};

TEST_F(TaskTest, RunsAtOnceUpToItsFirstWait) {
  std::vector<int> order;
  auto task = [&]() -> Task<> {
    order.push_back(1);
    co_await yield_once();
    order.push_back(3);
  };
  asio::post(reactor_, [&] {
    spawn(reactor_, task(), asio::detached);
    order.push_back(2);
  });
  reactor_.run();
  EXPECT_EQ(order, (std::vector<int>{1, 2, 3}));
}

// Neither those that end at once nor those that wait leave anything on the stack.
TEST_F(TaskTest, AwaitsAnyNumberOfOthersInALoop) {
  auto sum = []() -> Task<std::int64_t> {
    std::int64_t total = 0;
    for (int i = 0; i < 200'000; ++i) {
      total += co_await at_once(1);
      if (i % 4 == 0) total += co_await later(1);
    }
    co_return total;
  };
  EXPECT_EQ(run(sum()), 250'000);
}

TEST_F(TaskTest, GivesAnExceptionToWhoAwaits) {
  auto outer = []() -> Task<std::string> {
    try {
      co_await failing();
    } catch (const std::runtime_error& error) {
      co_return error.what();
    }
    co_return "";
  };
  EXPECT_EQ(run(outer()), "as arranged");
  EXPECT_THROW(run(failing()), std::runtime_error);
}

TEST_F(TaskTest, AnErrorOfAsiosIsThrownOrPutWhereItIsWanted) {
  asio::ip::tcp::acceptor closed(reactor_);
  auto throws = [&]() -> Task<bool> {
    try {
      auto socket = co_await closed.async_accept(use_task);
    } catch (const boost::system::system_error&) {
      co_return true;
    }
    co_return false;
  };
  auto puts = [&]() -> Task<bool> {
    boost::system::error_code error;
    auto socket = co_await closed.async_accept(into(error));
    co_return error.failed();
  };
  EXPECT_TRUE(run(throws()));
  EXPECT_TRUE(run(puts()));
}

TEST_F(TaskTest, WhatWaitsIsDestroyedWithTheExecutor) {
  bool inner_gone = false, outer_gone = false, callback_gone = false;
  {
    asio::io_context ends;
    asio::steady_timer never(ends, asio::steady_timer::time_point::max());
    auto inner = [&](Witness) -> Task<> { co_await expiry(never); };
    auto outer = [&](Witness) -> Task<> { co_await inner(Witness(inner_gone)); };
    spawn(ends, outer(Witness(outer_gone)), [witness = Witness(callback_gone)](std::exception_ptr) {});
    ends.poll();
    EXPECT_FALSE(inner_gone || outer_gone || callback_gone);
  }
  EXPECT_TRUE(inner_gone && outer_gone && callback_gone);
}

TEST_F(TaskTest, IsDestroyedIfWhatWasToResumeItIs) {
  bool gone = false;
  async::Resumption kept;
  auto waits = [&](Witness) -> Task<> {
    auto keep = [&](async::Resumption caller) { kept = std::move(caller); };
    co_await suspend(std::move(keep));
  };
  spawn(reactor_, waits(Witness(gone)), asio::detached);
  reactor_.poll();
  EXPECT_FALSE(gone);
  kept = {};
  EXPECT_TRUE(gone);
}

TEST_F(TaskTest, ASuspensionMayEndBeforeItHasBegun) {
  auto task = []() -> Task<int> {
    auto at_once = [](async::Resumption caller) { caller.now(); };
    co_await suspend(std::move(at_once));
    co_return 7;
  };
  EXPECT_EQ(run(task()), 7);
}

TEST_F(TaskTest, IsResumedFromAnotherThreadOnItsOwnExecutorWhichWaitsForIt) {
  std::thread worker;
  auto task = [&]() -> Task<bool> {
    const auto here = std::this_thread::get_id();
    auto elsewhere = [&](async::Resumption caller) { worker = std::thread([caller] { caller.post(); }); };
    co_await suspend(std::move(elsewhere));
    co_return std::this_thread::get_id() == here;
  };
  EXPECT_TRUE(run(task()));
  worker.join();
}

TEST_F(TaskTest, KeepsTheExecutorItWasSpawnedOnOverEveryWait) {
  auto task = [&]() -> Task<std::vector<db::Share>> {
    std::vector<db::Share> shares{db::current_share()};
    asio::steady_timer timer(reactor_, std::chrono::milliseconds(1));
    co_await expiry(timer);
    shares.push_back(db::current_share());
    co_await later(1);
    shares.push_back(db::current_share());
    co_return shares;
  };
  std::vector<db::Share> seen;
  spawn(db::with_share(reactor_.get_executor(), db::Share::heavy), task(),
        [&](std::exception_ptr, std::vector<db::Share> shares) { seen = shares; });
  reactor_.run();
  EXPECT_EQ(seen, std::vector<db::Share>(3, db::Share::heavy));
}

}  // namespace
}  // namespace causeway
