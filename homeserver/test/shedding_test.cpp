// Which requests are refused when the reactor is late. Times are invented.
#include "homeserver/http/shedding.hpp"

#include <gtest/gtest.h>

namespace causeway::http {
namespace {

using namespace std::chrono_literals;
using Asker = Shedding::Asker;

class SheddingTest : public testing::Test {
 protected:
  // As a busy reactor measures: one after the other, each begun when the one before it has ended.
  void lag_for(std::chrono::milliseconds lasting, std::chrono::milliseconds lag) {
    for (const auto end = now_ + lasting; now_ < end;) {
      const auto begun = now_;
      shedding.measured(begun, begun + lag, lag);
      now_ += std::max(lag, 5ms);
    }
  }
  void nothing_for(std::chrono::milliseconds lasting) { now_ += lasting; }
  void overload() {
    lag_for(2s, 100ms);
    ASSERT_TRUE(shedding.overloaded());
  }
  int refused_of_1000(Asker asker, std::chrono::milliseconds lag) {
    int refused = 0;
    for (int i = 0; i < 1000; ++i)
      refused += shedding.refuses(asker, lag) ? 1 : 0;
    return refused;
  }

  SheddingSettings settings;
  Shedding shedding{settings};

 private:
  Shedding::TimePoint now_{1h};
};

TEST_F(SheddingTest, burst_is_let_through) {
  lag_for(1s, 1ms);
  lag_for(400ms, 100ms);
  EXPECT_EQ(refused_of_1000(Asker::greedy, 300ms), 0);
  lag_for(50ms, 2ms);
  lag_for(400ms, 100ms);
  EXPECT_EQ(refused_of_1000(Asker::greedy, 300ms), 0) << "each of two";
}

TEST_F(SheddingTest, stall_is_let_through_however_long) {
  lag_for(1s, 1ms);
  lag_for(5s, 5s);
  lag_for(300ms, 300ms);
  EXPECT_FALSE(shedding.overloaded());
}

TEST_F(SheddingTest, bursts_with_nothing_between_them_do_not_add_up) {
  for (int i = 0; i < 20; ++i) {
    lag_for(100ms, 100ms);
    nothing_for(1s);
  }
  EXPECT_FALSE(shedding.overloaded());
}

TEST_F(SheddingTest, lag_under_the_target_is_never_overload) {
  lag_for(60s, 20ms);
  EXPECT_FALSE(shedding.overloaded());
}

TEST_F(SheddingTest, standing_lag_has_a_part_refused_that_grows_with_it) {
  overload();
  EXPECT_EQ(refused_of_1000(Asker::modest, 35ms), 0);
  EXPECT_NEAR(refused_of_1000(Asker::modest, 44ms), 200, 1);
  EXPECT_NEAR(refused_of_1000(Asker::modest, 71ms), 800, 1);
  EXPECT_NEAR(refused_of_1000(Asker::modest, 80ms), 900, 1);
  EXPECT_NEAR(refused_of_1000(Asker::modest, 10s), 900, 1) << "never all";
}

TEST_F(SheddingTest, refusals_are_evenly_spread) {
  overload();
  std::string row;
  for (int i = 0; i < 8; ++i)
    row += shedding.refuses(Asker::greedy, 35ms) ? 'r' : '.';
  EXPECT_EQ(row, ".r.r.r.r");
}

TEST_F(SheddingTest, who_has_something_under_way_is_refused_first) {
  overload();
  EXPECT_NEAR(refused_of_1000(Asker::modest, 50ms), 333, 1);
  EXPECT_NEAR(refused_of_1000(Asker::greedy, 50ms), 900, 1);
  EXPECT_EQ(refused_of_1000(Asker::modest, 35ms), 0);
  EXPECT_NEAR(refused_of_1000(Asker::greedy, 35ms), 500, 1);
}

TEST_F(SheddingTest, modest_few_beside_many_greedy_are_hardly_ever_refused) {
  overload();
  int modest = 0;
  for (int i = 0; i < 100; ++i) {
    EXPECT_GT(refused_of_1000(Asker::greedy, 200ms), 800);
    modest += shedding.refuses(Asker::modest, 200ms) ? 1 : 0;
  }
  EXPECT_LE(modest, 2);
}

TEST_F(SheddingTest, modest_are_refused_again_when_the_greedy_have_gone) {
  overload();
  refused_of_1000(Asker::greedy, 200ms);
  refused_of_1000(Asker::modest, 200ms);
  EXPECT_NEAR(refused_of_1000(Asker::modest, 200ms), 900, 10);
}

TEST(RecentAskersTest, who_asks_again_within_a_moment_is_known) {
  RecentAskers askers(50ms);
  const RecentAskers::TimePoint now{1h};
  EXPECT_FALSE(askers.asks_again(1, now));
  EXPECT_TRUE(askers.asks_again(1, now + 40ms));
  EXPECT_TRUE(askers.asks_again(1, now + 80ms)) << "since the last time";
  EXPECT_FALSE(askers.asks_again(1, now + 140ms));
  EXPECT_FALSE(askers.asks_again(2, now + 140ms));
}

TEST_F(SheddingTest, nobody_is_refused_once_the_lag_is_gone) {
  overload();
  EXPECT_EQ(refused_of_1000(Asker::greedy, 1ms), 0);
  lag_for(5ms, 1ms);
  EXPECT_EQ(refused_of_1000(Asker::greedy, 20ms), 0);
}

TEST_F(SheddingTest, overload_that_is_held_down_by_refusing_does_not_end) {
  overload();
  for (int i = 0; i < 600; ++i) {
    lag_for(30ms, 30ms);
    lag_for(70ms, 5ms);
  }
  EXPECT_TRUE(shedding.overloaded());
}

TEST_F(SheddingTest, overload_ends_after_some_calm) {
  overload();
  lag_for(2900ms, 1ms);
  EXPECT_TRUE(shedding.overloaded());
  lag_for(200ms, 1ms);
  EXPECT_FALSE(shedding.overloaded());
  EXPECT_EQ(refused_of_1000(Asker::greedy, 100ms), 0);
  overload();
}

TEST_F(SheddingTest, overload_ends_though_there_are_bursts_now_and_then) {
  overload();
  for (int i = 0; i < 10; ++i) {
    lag_for(100ms, 100ms);
    lag_for(900ms, 1ms);
  }
  EXPECT_FALSE(shedding.overloaded());
}

TEST_F(SheddingTest, overload_ends_while_nobody_asks_for_anything) {
  overload();
  nothing_for(10s);
  lag_for(5ms, 1ms);
  EXPECT_FALSE(shedding.overloaded());
}

}  // namespace
}  // namespace causeway::http
