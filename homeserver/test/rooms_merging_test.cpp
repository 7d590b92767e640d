// Rooms with many forward extremities where no local user writes.
#include "homeserver/test/support/federated_rooms.hpp"

namespace causeway::test {
namespace {

using boost::json::object;

struct MergingTest : FederatedRoomsTest {
  // That many more branches from one event.
  void branch(std::size_t count) {
    if (branches_ == 0) base_ = here.timeline(room).back()->event->id();
    for (std::size_t i = 0; i < count; ++i) {
      const EventPtr event =
          there_makes("m.room.message", {}, object{{"body", "branch " + std::to_string(branches_++)}}, base_);
      ASSERT_EQ(here.receive(there.self.name, event).result, Received::accepted);
    }
  }
  std::size_t extremities() { return here.room(room)->extremities.size(); }
  StoredEventPtr newest_extremity() {
    std::vector<EventNid> nids(1, here.room(room)->extremities.back());
    return here.run(here.events->by_nid(nids)).front();
  }
  bool is_merge(const StoredEventPtr& event) { return event->event->is("org.matrix.dummy_event"); }
  EventId base_;
  std::size_t branches_ = 0;
};

TEST_F(MergingTest, more_than_ten_branches_are_merged_by_an_event_that_no_client_sees_and_no_server_is_sent) {
  start();
  branch(10);
  EXPECT_EQ(extremities(), 10u) << "not that many";
  branch(1);
  ASSERT_EQ(extremities(), 1u);
  const StoredEventPtr merge = newest_extremity();
  ASSERT_TRUE(is_merge(merge));
  EXPECT_EQ(merge->event->sender(), alice.user);
  EXPECT_TRUE(merge->event->content().empty());
  EXPECT_EQ(merge->event->prev_events().size(), 11u);
  EXPECT_FALSE(is_in_timeline(merge->event->id()));
  EXPECT_FALSE(merge->is_shown());
  EXPECT_FALSE(merge->has(db::EventFlags::local)) << "what is local is sent";
  here.restart();
  EXPECT_EQ(extremities(), 1u);
  EXPECT_FALSE(is_in_timeline(merge->event->id()));
}

TEST_F(MergingTest, what_is_sent_next_builds_on_the_merge_and_other_servers_take_both) {
  start();
  branch(11);
  const StoredEventPtr merge = newest_extremity();
  const StoredEventPtr next = here.event(here.send(alice, room, "next").value());
  EXPECT_EQ(next->event->prev_events(), std::vector<EventId>{merge->event->id()});
  for (const auto& event : here.timeline(room))
    (void)deliver(here, there, event->event->id());
  ASSERT_EQ(deliver(here, there, next->event->id()).result, Received::missing);
  ASSERT_EQ(deliver(here, there, merge->event->id()).result, Received::accepted);
  ASSERT_EQ(deliver(here, there, next->event->id()).result, Received::accepted);
  for (const auto& event : there.timeline(room))
    EXPECT_FALSE(is_merge(event)) << "that of another server is not shown either";
  EXPECT_EQ(state_ids(here), state_ids(there));
}

TEST_F(MergingTest, a_room_is_merged_once_in_five_minutes) {
  start();
  branch(11);
  branch(15);
  EXPECT_GT(extremities(), 10u);
  here.clock.advance(std::chrono::minutes(5));
  branch(1);
  EXPECT_EQ(extremities(), 1u);
}

TEST_F(MergingTest, more_branches_than_an_event_may_name_are_merged_at_once) {
  start();
  branch(11);
  branch(45);
  EXPECT_LE(extremities(), 20u);
  const EventId sent = here.send(alice, room, "names all").value();
  EXPECT_EQ(extremities(), 1u);
  EXPECT_LE(here.event(sent)->event->prev_events().size(), 20u);
}

TEST_F(MergingTest, branches_stay_where_no_local_user_may_send) {
  start("11");
  object levels = here.state(room).at("m.room.power_levels|")->content();
  levels["users"] = object{{bob.user.str(), 100}, {alice.user.str(), 50}};
  levels["events"] = object{{"org.matrix.dummy_event", 60}};
  ASSERT_TRUE(here.set_state(alice, room, "m.room.power_levels", "", levels));
  ASSERT_EQ(deliver(here, there, here.timeline(room).back()->event->id()).result, Received::accepted);
  const std::size_t shown = here.timeline(room).size();
  branch(12);
  EXPECT_EQ(extremities(), 12u);
  EXPECT_EQ(here.timeline(room).size(), shown + 12);
}

TEST_F(MergingTest, of_the_local_users_one_who_may_send_is_the_sender) {
  const Sender carol = here.user("carol");
  start("11");
  ASSERT_TRUE(here.join(carol, room));
  object levels = here.state(room).at("m.room.power_levels|")->content();
  levels["users"] = object{{bob.user.str(), 100}, {carol.user.str(), 70}, {alice.user.str(), 50}};
  levels["events"] = object{{"org.matrix.dummy_event", 60}};
  ASSERT_TRUE(here.set_state(alice, room, "m.room.power_levels", "", levels));
  for (const auto& event : here.timeline(room))
    (void)deliver(here, there, event->event->id());
  branch(11);
  ASSERT_EQ(extremities(), 1u);
  EXPECT_EQ(newest_extremity()->event->sender(), carol.user);
}

}  // namespace
}  // namespace causeway::test
