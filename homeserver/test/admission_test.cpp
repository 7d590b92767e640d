// Whose turn it is when more is asked of the server than it works on at a time.
#include "homeserver/http/admission.hpp"

#include <gmock/gmock.h>

#include <boost/asio/io_context.hpp>

namespace causeway::http {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr auto work = WorkClass::federation;  // two may wait for each place

class AdmissionTest : public testing::Test {
 protected:
  AdmissionTest() {
    settings_.places.fill(4);
    settings_.patience = 1h;
  }
  ~AdmissionTest() override {
    if (admission_) admission_->close();
  }

  Admission& admission() {
    if (!admission_) admission_ = std::make_shared<Admission>(reactor_.get_executor(), settings_, metrics_);
    return *admission_;
  }
  Place enter(const std::string& who) {
    auto place = admission().try_enter(work, key(who));
    EXPECT_TRUE(place) << who;
    return place ? std::move(*place) : Place();
  }
  // Waits, and writes into the log how that ended: "name" or "name: status".
  std::uint64_t key(std::string_view who) { return admission().key_of(who); }
  void wait(const std::string& who) {
    spawn(reactor_, wait_and_log(who), asio::detached);
    settle();
  }
  // Lets everything happen that can.
  void settle() {
    reactor_.restart();
    while (reactor_.poll() > 0) {
    }
  }
  // From now on most requests are refused of those who have something under way, and of the others if `modest_too`.
  void be_late(bool modest_too, std::chrono::milliseconds moment = 0ms) {
    const SheddingSettings::Band all{-1ms, 0ms}, none{1h, 2h};
    settings_.shedding = {-1ms, 0ms, 1, 1h, all, modest_too ? all : none, moment};
    admission().request_begins(std::chrono::steady_clock::now());
    settle();
  }
  // Of some requests one is let through.
  std::optional<MatrixError> shed(WorkClass what, const std::string& who) {
    std::optional<MatrixError> refusal;
    for (int i = 0; i < 5 && !refusal; ++i)
      refusal = admission().shed(what, key(who));
    return refusal;
  }
  std::string metrics() const { return metrics_.text(); }

  AdmissionSettings settings_;
  std::vector<std::string> log;
  std::vector<Place> admitted;

 private:
  Task<> wait_and_log(std::string who) {
    auto place = co_await admission().wait(work, key(who));
    if (place) {
      log.push_back(who);
      admitted.push_back(std::move(*place));
    } else {
      log.push_back(who + ": " + std::to_string(place.error().status));
    }
  }

  asio::io_context reactor_;
  Metrics metrics_;
  std::shared_ptr<Admission> admission_;
};

TEST_F(AdmissionTest, places_are_given_until_all_are_taken_and_again_when_one_is_left) {
  auto a = enter("a"), b = enter("b"), c = enter("c"), d = enter("d");
  EXPECT_FALSE(admission().try_enter(work, key("e")));
  EXPECT_TRUE(admission().try_enter(WorkClass::write, key("e"))) << "another class has places of its own";
  a.leave();
  EXPECT_TRUE(admission().try_enter(work, key("e")));
}

TEST_F(AdmissionTest, nobody_holds_more_than_a_quarter) {
  auto a = enter("a");
  EXPECT_FALSE(admission().try_enter(work, key("a")));
  EXPECT_TRUE(admission().try_enter(work, key("b")));
}

TEST_F(AdmissionTest, what_must_be_answered_needs_no_place) {
  for (int i = 0; i < 100; ++i)
    EXPECT_TRUE(admission().try_enter(WorkClass::unbounded, key("a")));
}

TEST_F(AdmissionTest, places_go_round_among_those_who_wait) {
  settings_.places.fill(8);
  std::vector<Place> held;
  for (const auto* who : {"w", "w", "x", "x", "y", "y", "z", "z"})
    held.push_back(enter(who));
  for (const auto* who : {"a", "a", "a", "b"})
    wait(who);
  for (int i = 0; i < 4; ++i)
    held[i].leave();
  settle();
  EXPECT_THAT(log, ElementsAre("a", "b", "a"))
      << "b came last, but a had had a turn; the third of a is beyond its share";
}

TEST_F(AdmissionTest, who_holds_a_share_waits_for_it_and_not_for_others) {
  auto a = enter("a"), b = enter("b");
  wait("a");
  b.leave();
  settle();
  EXPECT_THAT(log, IsEmpty());
  a.leave();
  settle();
  EXPECT_THAT(log, ElementsAre("a"));
}

TEST_F(AdmissionTest, too_many_of_ones_own_are_refused_at_once_and_others_are_not) {
  auto a = enter("a");
  for (int i = 0; i < 3; ++i)
    wait("a");
  EXPECT_THAT(log, ElementsAre("a: 429"));
  EXPECT_THAT(metrics(), HasSubstr("causeway_http_shed_total{class=\"federation\",reason=\"share\"} 1"));
  EXPECT_TRUE(admission().try_enter(work, key("b")));
}

TEST_F(AdmissionTest, full_class_refuses_at_once) {
  settings_.places.fill(1);
  auto running = enter("x");
  for (const auto* who : {"a", "b", "c"})
    wait(who);
  EXPECT_THAT(log, ElementsAre("c: 503"));
  EXPECT_THAT(metrics(), HasSubstr("causeway_http_shed_total{class=\"federation\",reason=\"full\"} 1"));
}

TEST_F(AdmissionTest, who_fills_the_queue_makes_room_for_others) {
  settings_.places.fill(1);
  auto running = enter("x");
  for (const auto* who : {"a", "a", "b"})
    wait(who);
  EXPECT_THAT(log, ElementsAre("a: 429"));
  running.leave();
  settle();
  admitted[0].leave();
  settle();
  EXPECT_THAT(log, ElementsAre("a: 429", "a", "b"));
}

TEST_F(AdmissionTest, refusals_say_when_to_come_back) {
  settings_.places.fill(1);
  auto running = enter("a");
  std::optional<Result<Place>> refused;
  for (int i = 0; i < 2; ++i)
    wait("a");
  asio::io_context reactor;
  const std::string who = "a";
  auto ask = [&]() -> Task<> {
    auto outcome = co_await admission().wait(work, key(who));
    refused.emplace(std::move(outcome));
  };
  spawn(reactor, ask(), asio::detached);
  reactor.poll();
  ASSERT_TRUE(refused && !*refused);
  EXPECT_EQ(refused->error().code, ErrorCode::limit_exceeded);
  EXPECT_GE(refused->error().extra.at("retry_after_ms").to_number<int>(), 1000);
}

TEST_F(AdmissionTest, a_wait_has_an_end) {
  settings_.places.fill(1);
  settings_.patience = 0ms;
  auto running = enter("x");
  wait("a");
  wait("x");
  while (log.size() < 2)
    settle();
  EXPECT_THAT(log, ElementsAre("a: 503", "x: 429"));
  EXPECT_THAT(metrics(), HasSubstr("causeway_http_shed_total{class=\"federation\",reason=\"waited\"} 2"));
  running.leave();
  EXPECT_TRUE(admission().try_enter(work, key("b"))) << "nothing is left of those who waited";
}

TEST_F(AdmissionTest, late_reactor_refuses_requests_that_need_a_place) {
  be_late(true);
  const auto refused = shed(WorkClass::write, "a");
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->status, 503);
  EXPECT_GE(refused->extra.at("retry_after_ms").to_number<int>(), 1000);
  EXPECT_FALSE(shed(WorkClass::unbounded, "a"));
  EXPECT_THAT(metrics(), HasSubstr("causeway_http_shed_total{class=\"write\",reason=\"lag\"} 1\n"));
  EXPECT_THAT(metrics(), HasSubstr("causeway_http_overloaded 1\n"));
}

TEST_F(AdmissionTest, late_reactor_refuses_first_who_has_something_under_way) {
  be_late(false);
  auto a = enter("a");
  const auto refused = shed(work, "a");
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->code, ErrorCode::limit_exceeded) << "a has the whole share";
  EXPECT_FALSE(shed(work, "b"));
  EXPECT_FALSE(shed(WorkClass::read, "a")) << "nothing of this class";
}

TEST_F(AdmissionTest, late_reactor_refuses_first_who_asks_again_at_once) {
  be_late(false, 1h);
  EXPECT_FALSE(admission().shed(work, key("a")));
  EXPECT_TRUE(shed(work, "a"));
  EXPECT_FALSE(admission().shed(WorkClass::read, key("a"))) << "not for this";
  EXPECT_FALSE(admission().shed(work, key("b")));
}

TEST_F(AdmissionTest,
       server_is_refused_as_an_address_and_not_again_once_it_is_known_unless_it_has_something_under_way) {
  be_late(true);
  EXPECT_TRUE(shed(WorkClass::authentication, "192.0.2.1"));
  EXPECT_FALSE(shed(WorkClass::federation, "a.example"));
  EXPECT_FALSE(shed(WorkClass::heavy_federation, "a.example"));
  auto a = enter("a.example");
  EXPECT_TRUE(shed(WorkClass::federation, "a.example"));
}

TEST_F(AdmissionTest, who_gave_the_place_away_to_wait_gets_one_again_however_full_it_is) {
  settings_.places.fill(1);
  auto parked = enter("p");
  parked.leave();
  EXPECT_TRUE(parked.try_enter_again());
  parked.leave();
  auto running = enter("x");
  for (const auto* who : {"a", "b"})
    wait(who);
  EXPECT_FALSE(parked.try_enter_again());
  auto again = [&]() -> Task<> {
    co_await parked.enter_again();
    log.emplace_back("p");
  };
  asio::io_context reactor;
  spawn(reactor, again(), asio::detached);
  reactor.poll();
  running.leave();
  settle();
  admitted[0].leave();
  settle();
  admitted[1].leave();
  settle();
  reactor.restart();
  reactor.poll();
  EXPECT_THAT(log, ElementsAre("a", "b", "p"));
  EXPECT_FALSE(admission().try_enter(work, key("c")));
  parked.leave();
  EXPECT_TRUE(admission().try_enter(work, key("c")));
}

}  // namespace
}  // namespace causeway::http
