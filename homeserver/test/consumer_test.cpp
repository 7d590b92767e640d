#include "homeserver/stream/consumer.hpp"

#include <gtest/gtest.h>

#include "homeserver/test/support/stored_events.hpp"
#include "homeserver/test/support/writer_kit.hpp"

namespace causeway {
namespace {

using test::stored_message;
using test::unit_of;
using test::unit_with_room;

// Notes what comes to it.
class ConsumerTest : public ::testing::Test {
 protected:
  ConsumerTest() : kit_(database_url_.url()), database_(settings()) {
    EXPECT_TRUE(kit_.commit(unit_with_room(stored_message(1, 1))));
  }

  db::Settings settings() {
    db::Settings s;
    s.url = database_url_.url();
    return s;
  }
  Consumer::Work work() {
    return {[this](CommittedPtr facts) -> Task<> {
              if (std::exchange(fail_next_, false)) throw std::runtime_error("as arranged");
              taken_.push_back(facts->until);
              co_return;
            },
            [this](StreamPosition after, StreamPosition until) -> Task<> {
              caught_up_.emplace_back(after, until);
              co_return;
            }};
  }
  std::unique_ptr<Consumer> started(Consumer::Settings settings) {
    auto consumer = std::make_unique<Consumer>(kit_.reactor.get_executor(), kit_.hub, database_, settings, work());
    test::run_task(kit_.reactor, consumer->start());
    return consumer;
  }
  void commit(std::int64_t nid) { EXPECT_TRUE(kit_.commit(unit_of(stored_message(nid, 1)))); }

  using Spans = std::vector<std::pair<StreamPosition, StreamPosition>>;
  test::TestDatabase database_url_{test::Rows::by_hand};
  test::WriterKit kit_;
  db::Database database_;
  std::vector<StreamPosition> taken_;
  Spans caught_up_;
  bool fail_next_ = false;
};

TEST_F(ConsumerTest, catches_up_once_and_then_takes_each_commit_in_its_order) {
  auto consumer = started({});
  EXPECT_EQ(caught_up_, (Spans{{0, 1}}));
  for (std::int64_t nid = 2; nid <= 5; ++nid)
    commit(nid);
  EXPECT_EQ(taken_, (std::vector<StreamPosition>{2, 3, 4, 5}));
  EXPECT_EQ(consumer->position(), 5);
  EXPECT_EQ(caught_up_.size(), 1u);
}

TEST_F(ConsumerTest, goes_on_after_a_restart_where_it_had_got_to) {
  auto consumer = started({.name = "push"});
  commit(2);
  test::run_task(kit_.reactor, consumer->drain());
  consumer.reset();
  commit(3);
  caught_up_.clear();
  consumer = started({.name = "push"});
  EXPECT_EQ(caught_up_, (Spans{{2, 3}}));
  EXPECT_EQ(taken_, std::vector<StreamPosition>{2});
}

TEST_F(ConsumerTest, repeats_what_failed_and_leaves_nothing_out) {
  auto consumer = started({});
  fail_next_ = true;
  commit(2);
  EXPECT_EQ(consumer->position(), 2);
  EXPECT_TRUE(taken_.empty());
  EXPECT_EQ(caught_up_.back(), (std::pair<StreamPosition, StreamPosition>{1, 2}));
  commit(3);
  EXPECT_EQ(taken_, std::vector<StreamPosition>{3});
}

TEST_F(ConsumerTest, reads_from_the_database_what_is_too_much_to_hold) {
  auto consumer = started({.max_waiting = 2});
  caught_up_.clear();
  std::vector<WriteUnitPtr> units;
  for (std::int64_t nid = 2; nid <= 8; ++nid)
    units.push_back(unit_of(stored_message(nid, 1)));
  kit_.commit(units);
  EXPECT_EQ(consumer->position(), 8);
  EXPECT_FALSE(caught_up_.empty());
  StreamPosition reached = 1;
  for (std::size_t span = 0, unit = 0; reached < 8;) {
    if (span < caught_up_.size() && caught_up_[span].first == reached)
      reached = caught_up_[span++].second;
    else
      ASSERT_EQ(taken_.at(unit++), ++reached);
  }
}

}  // namespace
}  // namespace causeway
