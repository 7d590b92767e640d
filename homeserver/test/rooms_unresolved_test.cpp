// Forks whose resolution is beyond this server's bounds.
#include <prometheus/counter.h>

#include "homeserver/test/support/federated_rooms.hpp"

namespace causeway::test {
namespace {

using boost::json::object;

struct UnresolvedTest : FederatedRoomsTest {
  EventPtr on_a_branch;  // of the other server, in conflict with `topic`
  EventId topic;

  void start_with_conflict(ResolutionBounds bounds) {
    start("11");
    object levels = here.state(room).at("m.room.power_levels|")->content();
    levels["users"] = object{{alice.user.str(), 100}, {bob.user.str(), 100}};
    const EventId grant = here.set_state(alice, room, "m.room.power_levels", "", levels).value();
    ASSERT_EQ(deliver(here, there, grant).result, Received::accepted);
    on_a_branch = there_makes("m.room.topic", "", object{{"topic", "there"}}, grant);
    topic = here.set_state(alice, room, "m.room.topic", "", object{{"topic", "here"}}).value();
    restart_with(bounds);
  }
  void restart_with(ResolutionBounds bounds) {
    here.set_bounds(bounds);
    here.restart();
  }
  // What the other server sends once it has both.
  EventPtr merge() {
    (void)there.receive(there.self.name, on_a_branch);
    (void)deliver(here, there, topic);
    return there.event(there.send(bob, room, "merges both").value())->event;
  }
  int expected_ = 0;
  double unresolved() { return here.metrics.counter("received_events_total", "", {{"result", "unresolved"}}).Value(); }
};

TEST_F(UnresolvedTest, an_event_that_can_not_be_merged_is_kept_and_not_built_on) {
  for (const ResolutionBounds bounds : {ResolutionBounds{2'000'000, 1}, ResolutionBounds{1, 100'000}}) {
    start_with_conflict(bounds);
    const auto before = state_ids(here);
    EXPECT_EQ(here.receive(there.self.name, on_a_branch).result, Received::soft_failed);
    EXPECT_EQ(state_ids(here), before);
    EXPECT_FALSE(is_in_timeline(on_a_branch->id()));
    const EventId next = here.send(alice, room, "the room goes on").value();
    EXPECT_EQ(here.event(next)->event->prev_events(), std::vector<EventId>{topic});
    here.restart();
    EXPECT_EQ(state_ids(here), before);
    EXPECT_EQ(unresolved(), ++expected_);
  }
}

TEST_F(UnresolvedTest, an_event_whose_state_before_can_not_be_told_is_refused_until_it_can) {
  start_with_conflict({2'000'000, 1});
  ASSERT_EQ(here.receive(there.self.name, on_a_branch).result, Received::soft_failed);
  const EventPtr merging = merge();
  ASSERT_EQ(merging->prev_events().size(), 2u);
  const auto refused = here.receive(there.self.name, merging);
  EXPECT_EQ(refused.result, Received::refused);
  EXPECT_FALSE(refused.reason.empty());
  EXPECT_EQ(here.event(merging->id()), nullptr);
  EXPECT_EQ(unresolved(), 2);

  restart_with({});
  ASSERT_EQ(here.receive(there.self.name, merging).result, Received::accepted);
  EXPECT_EQ(state_ids(here), state_ids(there)) << "the room has healed";
  EXPECT_EQ(here.room(room)->extremities.size(), 1u);
}

}  // namespace
}  // namespace causeway::test
