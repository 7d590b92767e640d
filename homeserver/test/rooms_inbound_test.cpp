// What is here around an event that others made, told without a room on a database.
#include <gtest/gtest.h>

#include "homeserver/rooms/receiving/inbound.hpp"
#include "homeserver/test/support/room_kit.hpp"

namespace causeway {
namespace {

using test::EventPlace;
using test::EventText;

class InboundTest : public ::testing::Test {
 protected:
  InboundTest() {
    head.nid = RoomNid{1};
    head.version = &version;
    add("$create", {}, {});
    add("$old", {"$create"}, {"$create"});
    add("$tip", {"$old"}, {"$create"});
    head.extremities.emplace_back(*known.at(EventId::trusted("$tip")));
  }

  EventPtr make(const std::string& id, std::vector<std::string> prev, std::vector<std::string> auth) {
    EventPlace place;
    place.id = id;
    place.prev_events = std::move(prev);
    place.auth_events = std::move(auth);
    return test::make_event(version, EventText{"m.room.message", std::nullopt, "@alice:a"}, place);
  }
  std::shared_ptr<StoredEvent> stored(EventPtr event) {
    auto made = std::make_shared<StoredEvent>();
    made->nid = EventNid{++last_};
    made->room = head.nid;
    made->event = std::move(event);
    return made;
  }
  // In the timeline.
  void add(const std::string& id, std::vector<std::string> prev, std::vector<std::string> auth) {
    auto event = stored(make(id, std::move(prev), std::move(auth)));
    event->order = OrderKey{last_, 0};
    known.emplace(event->event->id(), std::move(event));
  }
  Surroundings around(const Inbound& inbound) { return look_around(head, inbound, known, placed); }
  static Inbound inbound(EventPtr event) {
    Inbound made;
    made.event = std::move(event);
    return made;
  }

  const RoomVersion& version = *find_room_version("11");
  RoomHead head;
  KnownEvents known, placed;

 private:
  std::int64_t last_ = 0;
};

TEST_F(InboundTest, event_is_at_the_tip_where_it_names_every_branch) {
  EXPECT_TRUE(around(inbound(make("$next", {"$tip"}, {"$create"}))).at_tip);
  EXPECT_FALSE(around(inbound(make("$fork", {"$old"}, {"$create"}))).at_tip);
  add("$branch", {"$old"}, {"$create"});
  head.extremities.emplace_back(*known.at(EventId::trusted("$branch")));
  EXPECT_FALSE(around(inbound(make("$next", {"$tip"}, {"$create"}))).at_tip);
  EXPECT_TRUE(around(inbound(make("$next", {"$tip", "$branch"}, {"$create"}))).at_tip);
}

TEST_F(InboundTest, event_of_the_same_unit_counts_like_one_that_is_stored) {
  const EventPtr first = make("$first", {"$tip"}, {"$create"});
  placed.emplace(first->id(), stored(first));
  EXPECT_FALSE(around(inbound(make("$second", {"$first"}, {"$create", "$first"}))).outcome);
  EXPECT_EQ(around(inbound(first)).outcome->result, Received::duplicate);
}

TEST_F(InboundTest, outlier_is_no_parent_and_what_nobody_has_judged_is_no_auth_event) {
  auto outlier = stored(make("$outlier", {"$gone"}, {"$create"}));
  known.emplace(outlier->event->id(), outlier);
  auto missing = around(inbound(make("$next", {"$outlier"}, {"$create", "$outlier"}))).outcome;
  ASSERT_TRUE(missing);
  EXPECT_EQ(missing->missing_prev, (std::vector{EventId::trusted("$outlier")}));
  EXPECT_TRUE(missing->missing_auth.empty());
  outlier->flags = db::EventFlags::unjudged;
  missing = around(inbound(make("$next", {"$tip"}, {"$create", "$outlier"}))).outcome;
  ASSERT_TRUE(missing);
  EXPECT_EQ(missing->missing_auth, (std::vector{EventId::trusted("$outlier")}));
}

TEST_F(InboundTest, state_told_of_the_event_itself_stands_for_all_its_missing_parents) {
  Inbound event = inbound(make("$next", {"$gone", "$lost"}, {"$create"}));
  event.told.push_back({EventId::trusted("$gone"), {}});
  EXPECT_EQ(around(event).outcome->result, Received::missing);
  event.told.push_back({EventId::trusted("$next"), {}});
  const auto found = around(event);
  EXPECT_FALSE(found.outcome);
  EXPECT_TRUE(builds_on_told(event, found));
  EXPECT_EQ(found.missing_prev.size(), 2u);
  EXPECT_FALSE(found.at_tip);
}

TEST_F(InboundTest, what_was_accepted_outside_the_timeline_is_hidden_but_never_rejected) {
  auto outlier = stored(make("$outlier", {"$tip"}, {"$create"}));
  known.emplace(outlier->event->id(), outlier);
  const auto found = around(inbound(outlier->event));
  EXPECT_TRUE(found.was_accepted());
  StoredEvent placed_now = *outlier;
  mark(placed_now, found, Received::rejected);
  EXPECT_TRUE(placed_now.has(db::EventFlags::soft_failed));
  EXPECT_FALSE(placed_now.has(db::EventFlags::rejected));
  StoredEvent unknown = *outlier;
  mark(unknown, Surroundings(), Received::rejected);
  EXPECT_TRUE(unknown.has(db::EventFlags::rejected));
}

}  // namespace
}  // namespace causeway
