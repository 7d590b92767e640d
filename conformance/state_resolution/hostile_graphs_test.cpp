// Graphs made to cost much: what state resolution does with them, in steps. A step is an event or an edge looked at.
#include <gtest/gtest.h>

#include "homeserver/rooms/resolution/state_resolution.hpp"

namespace causeway::test {
namespace {

constexpr StateKeyNid create_key{1}, levels_key{2}, topic_key{3};

// A room as numbers alone.
class NumberRoom {
 public:
  EventNid add(StateKeyNid key, std::vector<EventNid> auth) {
    const EventNid nid{++last_};
    graph_.add(nid, last_, key, auth);
    return nid;
  }
  static StateKeyNid member_key(int user) { return StateKeyNid{1'000 + user}; }

  // A create event, power levels and this many members.
  StateMap begin(int members) {
    StateMap state;
    create = state[create_key] = add(create_key, {});
    levels = state[levels_key] = add(levels_key, {create});
    for (int user = 0; user < members; ++user)
      state[member_key(user)] = add(member_key(user), {create, levels});
    return state;
  }
  Resolution plan(const char* version, const std::vector<StateMap>& states) const {
    std::vector<StateMapPtr> shared;
    for (const StateMap& state : states)
      shared.push_back(std::make_shared<const StateMap>(state));
    Resolution resolution(*find_room_version(version), shared, levels_key);
    EXPECT_TRUE(resolution.plan(graph_).empty());
    return resolution;
  }

  EventNid create{}, levels{};

 private:
  std::int64_t last_ = 0;
  AuthGraph graph_;
};

class HostileGraphsTest : public testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(Versions, HostileGraphsTest, testing::Values("11", "12"),
                         [](const auto& version) { return std::string("v") + version.param; });

TEST_P(HostileGraphsTest, a_chain_that_all_states_share_is_not_walked) {
  NumberRoom room;
  StateMap state = room.begin(10);
  for (int i = 0; i < 100'000; ++i)
    room.levels = room.add(levels_key, {room.create, room.levels});
  state[levels_key] = room.levels;
  state[NumberRoom::member_key(11)] = room.add(NumberRoom::member_key(11), {room.create, room.levels});
  StateMap left = state, right = state;
  left[topic_key] = room.add(topic_key, {room.create, room.levels});
  right[topic_key] = room.add(topic_key, {room.create, room.levels});
  const Resolution resolution = room.plan(GetParam(), {left, right});
  EXPECT_EQ(resolution.events_to_judge().size(), 2u);
  EXPECT_LT(resolution.steps(), 100u);
}

TEST_P(HostileGraphsTest, a_chain_that_one_state_has_alone_is_walked_once) {
  NumberRoom room;
  const StateMap old = room.begin(10);
  StateMap far = old;
  for (int i = 0; i < 100'000; ++i)
    far[levels_key] = room.levels = room.add(levels_key, {room.create, room.levels});
  const Resolution resolution = room.plan(GetParam(), {old, far});
  EXPECT_EQ(resolution.events_to_judge().size(), 100'001u);
  EXPECT_LT(resolution.steps(), 500'000u);
}

TEST_P(HostileGraphsTest, twenty_branches_of_ten_thousand_members_cost_what_differs) {
  NumberRoom room;
  const StateMap state = room.begin(10'000);
  std::vector<StateMap> branches;
  for (int i = 0; i < 20; ++i) {
    StateMap branch = state;
    for (int user = 0; user < 50; ++user) {
      const StateKeyNid key = NumberRoom::member_key(i * 50 + user);
      branch[key] = room.add(key, {room.create, room.levels, state.at(key)});
    }
    branches.push_back(std::move(branch));
  }
  const Resolution resolution = room.plan(GetParam(), branches);
  EXPECT_EQ(resolution.events_to_judge().size(), 2'000u) << "old and new memberships";
  // Two for every member on whom all agree; of the rest every event's three once for each branch that holds it.
  EXPECT_LT(resolution.steps(), 2 * 9'000u + 2 * 3 * 20 * 1'000u);
}

// Every event cites two before it: paths double with every level, events do not.
TEST_P(HostileGraphsTest, paths_that_double_with_every_level_are_not_followed_one_by_one) {
  NumberRoom room;
  const StateMap old = room.begin(10);
  EventNid left = room.levels, right = room.levels;
  for (int i = 0; i < 10'000; ++i) {
    const std::vector<EventNid> both = {room.create, left, right};
    left = room.add(levels_key, both);
    right = room.add(levels_key, both);
  }
  StateMap far = old;
  far[levels_key] = left;
  const Resolution resolution = room.plan(GetParam(), {old, far});
  EXPECT_LT(resolution.steps(), 200'000u);
}

// Rows that an older version wrote, or a fault: the answer may be wrong for them, but there is one.
TEST_P(HostileGraphsTest, events_that_cite_each_other_in_a_circle_are_walked_once) {
  AuthGraph graph;
  const std::vector<EventNid> first = {EventNid{1}}, second = {EventNid{2}}, both = {EventNid{1}, EventNid{2}};
  graph.add(EventNid{1}, 1, topic_key, second);
  graph.add(EventNid{2}, 2, topic_key, first);
  graph.add(EventNid{3}, 3, topic_key, both);
  graph.add(EventNid{4}, 4, topic_key, first);
  graph.add(EventNid{5}, 0, topic_key, both);
  std::vector<StateMapPtr> states;
  for (std::int64_t nid : {3, 4, 5})
    states.push_back(std::make_shared<const StateMap>(StateMap{{topic_key, EventNid{nid}}}));
  Resolution resolution(*find_room_version(GetParam()), states, levels_key);
  EXPECT_TRUE(resolution.plan(graph).empty());
  EXPECT_LT(resolution.steps(), 50u);
}

TEST(AuthGraphTest, names_what_a_walk_came_to_and_does_not_know) {
  AuthGraph graph;
  const std::vector<EventNid> create = {EventNid{1}};
  graph.add(EventNid{10}, 10, topic_key, create);
  graph.add(EventNid{11}, 11, topic_key, create);
  std::vector<StateMapPtr> states;
  for (EventNid nid : {EventNid{10}, EventNid{11}, EventNid{12}})
    states.push_back(std::make_shared<const StateMap>(StateMap{{topic_key, nid}}));
  Resolution resolution(*find_room_version("11"), states, levels_key);
  EXPECT_EQ(resolution.plan(graph), (std::vector<EventNid>{EventNid{12}, EventNid{1}}));
  graph.add(EventNid{12}, 12, topic_key, {});
  EXPECT_EQ(resolution.plan(graph), std::vector<EventNid>{EventNid{1}});
  graph.add_absent(EventNid{1});
  EXPECT_TRUE(resolution.plan(graph).empty());
  EXPECT_EQ(resolution.events_to_judge().size(), 3u) << "what is absent is not among them";
}

}  // namespace
}  // namespace causeway::test
