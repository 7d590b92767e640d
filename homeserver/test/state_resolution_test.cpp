#include "homeserver/rooms/resolution/state_resolution.hpp"

#include <gtest/gtest.h>

#include "homeserver/test/support/resolution_room.hpp"

namespace causeway::test {
namespace {

const std::string alice = "@alice:a";
const std::string bob = "@bob:a";
const std::string mod = "@mod:b";
const std::string eve = "@eve:b";

EventText member(const std::string& user, const std::string& sender, const std::string& value) {
  return {"m.room.member", user, sender, R"({"membership":")" + value + R"("})"};
}
EventText topic(const std::string& sender) {
  return {"m.room.topic", "", sender};
}
EventText join_rules(const std::string& rule) {
  return {"m.room.join_rules", "", alice, R"({"join_rule":")" + rule + R"("})"};
}

// A public room of alice with a moderator and bob; everyone may set the topic.
struct Scene {
  explicit Scene(const RoomVersion& version) : room(version) {
    state = room.with(state, room.add_create());
    then("alice", member(alice, alice, "join"), 1);
    then("levels", levels(alice, R"("@mod:b":50)"), 2);
    then("rules", join_rules("public"), 3);
    then("mod", member(mod, mod, "join"), 4);
    then("bob", member(bob, bob, "join"), 5);
  }
  EventText levels(const std::string& sender, const std::string& users) const {
    const std::string of_alice = room.version().creators_are_privileged ? "" : R"("@alice:a":100)";
    const std::string comma = of_alice.empty() || users.empty() ? "" : ",";
    return {"m.room.power_levels", "", sender,
            "{\"users\":{" + of_alice + comma + users + R"(},"events":{"m.room.topic":0,"m.room.power_levels":50}})"};
  }
  // Goes on from the common state.
  void then(const std::string& name, const EventText& text, Timestamp ts) { state = after(state, name, text, ts); }
  StateMap after(const StateMap& before, const std::string& name, const EventText& text, Timestamp ts) {
    EXPECT_TRUE(room.allows(text, before)) << name;
    return room.with(before, room.add(name, text, ts, before));
  }
  std::string resolved(const std::vector<StateMap>& branches, const std::string& type, const std::string& key = "") {
    return room.holder(room.resolve(branches), type, key);
  }

  ResolutionRoom room;
  StateMap state;
};

class StateResolutionTest : public testing::TestWithParam<std::string> {
 protected:
  const RoomVersion& version() const { return *find_room_version(GetParam()); }
};

INSTANTIATE_TEST_SUITE_P(EveryVersion, StateResolutionTest, testing::Values("10", "11", "12"),
                         [](const auto& version) { return "v" + version.param; });

TEST_P(StateResolutionTest, one_state_resolves_to_itself) {
  Scene scene(version());
  EXPECT_EQ(scene.room.resolve({scene.state}), scene.state);
  EXPECT_EQ(scene.room.resolve({scene.state, scene.state, scene.state}), scene.state);
}

TEST_P(StateResolutionTest, independent_changes_are_united) {
  Scene scene(version());
  const StateMap left = scene.after(scene.state, "topic", topic(bob), 10);
  const StateMap right = scene.after(scene.state, "eve", member(eve, eve, "join"), 11);
  const StateMap both = scene.room.resolve({left, right});
  EXPECT_EQ(scene.room.holder(both, "m.room.topic", ""), "$topic");
  EXPECT_EQ(scene.room.holder(both, "m.room.member", eve), "$eve");
  EXPECT_EQ(both.size(), scene.state.size() + 2);
}

TEST_P(StateResolutionTest, the_stronger_sender_wins_a_fight_for_power) {
  Scene scene(version());
  const StateMap demoted = scene.after(scene.state, "demotes", scene.levels(alice, ""), 20);
  const StateMap raised = scene.after(scene.state, "raises", scene.levels(mod, R"("@mod:b":50,"@bob:a":49)"), 10);
  EXPECT_EQ(scene.resolved({demoted, raised}, "m.room.power_levels"), "$demotes");
  EXPECT_EQ(scene.resolved({raised, demoted}, "m.room.power_levels"), "$demotes");
}

TEST_P(StateResolutionTest, a_demoted_moderators_ban_does_not_hold) {
  Scene scene(version());
  const StateMap demoted = scene.after(scene.state, "demotes", scene.levels(alice, ""), 20);
  const StateMap banned = scene.after(scene.state, "ban", member(bob, mod, "ban"), 10);
  EXPECT_EQ(scene.resolved({demoted, banned}, "m.room.member", bob), "$bob");
}

TEST_P(StateResolutionTest, a_ban_outdoes_what_the_banned_user_did_meanwhile) {
  Scene scene(version());
  const StateMap banned = scene.after(scene.state, "ban", member(bob, mod, "ban"), 30);
  StateMap busy = scene.after(scene.state, "rejoin", member(bob, bob, "join"), 10);
  busy = scene.after(busy, "topic", topic(bob), 11);
  EXPECT_EQ(scene.resolved({banned, busy}, "m.room.member", bob), "$ban");
  EXPECT_EQ(scene.resolved({banned, busy}, "m.room.topic"), "");
}

TEST_P(StateResolutionTest, closing_the_room_undoes_a_join_on_the_other_branch) {
  Scene scene(version());
  const StateMap closed = scene.after(scene.state, "closed", join_rules("invite"), 30);
  const StateMap joined = scene.after(scene.state, "eve", member(eve, eve, "join"), 10);
  const StateMap resolved = scene.room.resolve({closed, joined});
  EXPECT_EQ(scene.room.holder(resolved, "m.room.join_rules", ""), "$closed");
  EXPECT_EQ(scene.room.holder(resolved, "m.room.member", eve), "");
}

TEST_P(StateResolutionTest, the_later_topic_wins_and_then_the_greater_id) {
  Scene scene(version());
  const StateMap early = scene.after(scene.state, "z_early", topic(alice), 10);
  const StateMap late = scene.after(scene.state, "b_late", topic(bob), 11);
  const StateMap late_too = scene.after(scene.state, "c_late", topic(mod), 11);
  EXPECT_EQ(scene.resolved({early, late}, "m.room.topic"), "$b_late");
  EXPECT_EQ(scene.resolved({late, early, late_too}, "m.room.topic"), "$c_late");
}

TEST_P(StateResolutionTest, a_topic_under_newer_power_levels_wins_over_a_later_one) {
  Scene scene(version());
  const StateMap old_levels = scene.after(scene.state, "late", topic(bob), 99);
  StateMap new_levels = scene.after(scene.state, "levels2", scene.levels(alice, R"("@mod:b":51)"), 10);
  new_levels = scene.after(new_levels, "early", topic(bob), 11);
  EXPECT_EQ(scene.resolved({old_levels, new_levels}, "m.room.topic"), "$early");
}

// eve is in neither state, so that only the join that both topics cite can speak for her.
TEST_P(StateResolutionTest, a_rejected_auth_event_lends_nothing) {
  Scene scene(version());
  const EventNid join = scene.room.add("eve", member(eve, eve, "join"), 6, scene.state);
  auto with_topic = [&](const std::string& name, Timestamp ts) {
    StateMap state = scene.after(scene.room.with(scene.state, join), name, topic(eve), ts);
    state.erase(scene.room.key("m.room.member", eve));
    return state;
  };
  const StateMap left = with_topic("left", 7);
  const StateMap right = with_topic("right", 8);
  EXPECT_EQ(scene.resolved({left, right}, "m.room.topic"), "$right");
  scene.room.mark_rejected(join);
  EXPECT_EQ(scene.resolved({left, right}, "m.room.topic"), "");
}

// The two algorithms on the same events: a copy of version 11 with the newer resolution.
const RoomVersion& version_11_with_v2_1() {
  static const RoomVersion version = [] {
    RoomVersion copy = *find_room_version("11");
    copy.state_resolution = StateResolution::v2_1;
    return copy;
  }();
  return version;
}

// bob left on both branches; on one he had set a topic before, which the other never had.
std::string topic_of_one_who_left(const RoomVersion& version) {
  Scene scene(version);
  const StateMap mods = scene.after(scene.state, "mods", topic(mod), 10);
  const StateMap bobs = scene.after(scene.state, "bobs", topic(bob), 11);
  const EventNid left = scene.room.add("left", member(bob, bob, "leave"), 12, scene.state);
  return scene.resolved({scene.room.with(mods, left), scene.room.with(bobs, left)}, "m.room.topic");
}

TEST(StateResolutionV21, starts_from_nothing_so_that_events_are_judged_by_what_they_cite) {
  EXPECT_EQ(topic_of_one_who_left(*find_room_version("11")), "$mods");
  EXPECT_EQ(topic_of_one_who_left(version_11_with_v2_1()), "$bobs");
}

// One branch stands at old power levels; what led from them to the other branch's is in both auth chains, because
// somebody's membership, on which all agree, cites it.
std::string levels_after_a_stale_branch(const RoomVersion& version) {
  Scene scene(version);
  const StateMap old = scene.state;
  StateMap state = scene.after(old, "levels2", scene.levels(alice, R"("@mod:b":50,"@bob:a":60)"), 10);
  const EventNid join = scene.room.add("eve", member(eve, eve, "join"), 11, state);
  state = scene.after(scene.room.with(state, join), "levels3", scene.levels(bob, R"("@mod:b":0,"@bob:a":60)"), 12);
  return scene.resolved({scene.room.with(old, join), state}, "m.room.power_levels");
}

TEST(StateResolutionV21, replays_the_subgraph_between_conflicted_events_so_that_state_is_not_reset) {
  EXPECT_EQ(levels_after_a_stale_branch(*find_room_version("11")), "$levels");
  EXPECT_EQ(levels_after_a_stale_branch(version_11_with_v2_1()), "$levels3");
  EXPECT_EQ(levels_after_a_stale_branch(*find_room_version("12")), "$levels3");
}

// From $last back to $first only through $between, which is in both auth chains and so not in dispute itself.
std::string levels_with_a_step_outside_the_set(const RoomVersion& version) {
  Scene scene(version);
  scene.then("first", scene.levels(mod, R"("@mod:b":50,"@bob:a":1)"), 9);
  const StateMap old = scene.state;
  StateMap state = scene.after(old, "between", scene.levels(alice, R"("@mod:b":50,"@bob:a":2)"), 10);
  const EventNid join = scene.room.add("eve", member(eve, eve, "join"), 11, state);
  state = scene.after(scene.room.with(state, join), "last", scene.levels(alice, R"("@mod:b":50,"@bob:a":3)"), 12);
  return scene.resolved({scene.room.with(old, join), state}, "m.room.power_levels");
}

TEST(StateResolutionV2, orders_power_events_by_citations_inside_the_full_conflicted_set_alone) {
  EXPECT_EQ(levels_with_a_step_outside_the_set(*find_room_version("11")), "$first");
  EXPECT_EQ(levels_with_a_step_outside_the_set(version_11_with_v2_1()), "$last");
}

TEST(StateResolutionV21, a_creator_outdoes_the_highest_level) {
  Scene scene(*find_room_version("12"));
  scene.then("high", scene.levels(alice, R"("@mod:b":9007199254740991)"), 9);
  const StateMap demoted = scene.after(scene.state, "demotes", scene.levels(alice, ""), 99);
  const StateMap banned = scene.after(scene.state, "ban", member(bob, mod, "ban"), 10);
  EXPECT_EQ(scene.resolved({demoted, banned}, "m.room.member", bob), "$bob");
}

TEST_P(StateResolutionTest, an_event_that_is_not_here_is_as_if_not_cited) {
  Scene scene(version());
  const EventNid known = scene.room.add("topic", topic(bob), 10, scene.state);
  std::vector<EventNid> auth(scene.room.find(known)->auth.begin(), scene.room.find(known)->auth.end());
  auth.push_back(EventNid{-1});
  const EventNid citing = scene.room.add_alias(known, auth);
  const StateMap other = scene.after(scene.state, "earlier", topic(mod), 9);
  EXPECT_EQ(scene.resolved({scene.room.with(scene.state, citing), other}, "m.room.topic"), "$topic");
}

TEST_P(StateResolutionTest, a_very_long_auth_chain_is_no_trouble) {
  Scene scene(version());
  const StateKeyNid levels = scene.room.key("m.room.power_levels", "");
  EventNid newest = scene.state.at(levels);
  std::vector<EventNid> others(scene.room.find(newest)->auth.begin(), scene.room.find(newest)->auth.end());
  for (int i = 0; i < 10'000; ++i) {
    std::vector<EventNid> auth = others;
    auth.push_back(newest);
    newest = scene.room.add_alias(newest, auth);
  }
  StateMap far = scene.state;
  far[levels] = newest;
  EXPECT_EQ(scene.room.resolve({scene.state, far}).at(levels), newest);
}

}  // namespace
}  // namespace causeway::test
