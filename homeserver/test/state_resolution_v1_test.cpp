// State resolution of room version 1, step by step.
#include <gtest/gtest.h>

#include "homeserver/test/support/resolution_room.hpp"
#include "schema/crypto/crypto.hpp"

namespace causeway::test {
namespace {

const std::string alice = "@alice:a";  // creator
const std::string bob = "@bob:a";
const std::string carol = "@carol:b";

EventText joins(const std::string& user) {
  return {"m.room.member", user, user, R"({"membership":"join"})"};
}
EventText bans(const std::string& sender, const std::string& user) {
  return {"m.room.member", user, sender, R"({"membership":"ban"})"};
}
EventText levels(const std::string& sender, const std::string& users) {
  return {"m.room.power_levels", "", sender, R"({"users":{"@alice:a":100)" + users + "}}"};
}
EventText topic(const std::string& sender, const std::string& key = "") {
  return {"m.room.topic", key, sender};
}
EventText rule(const std::string& sender, const std::string& value) {
  return {"m.room.join_rules", "", sender, R"({"join_rule":")" + value + R"("})"};
}

// A public room of alice, bob and carol, where bob has 50. What is set with `set` has the depth given.
class StateResolutionV1Test : public testing::TestWithParam<unsigned> {
 protected:
  StateResolutionV1Test() : room(*find_room_version("1"), GetParam()) {
    crypto::initialise();
    base = room.with({}, room.add_create());
    base = set("alice", joins(alice), 2, base);
    base = set("levels", levels(alice, R"(,"@bob:a":50)"), 3, base);
    base = set("rules", rule(alice, "public"), 4, base);
    base = set("bob", joins(bob), 5, base);
    base = set("carol", joins(carol), 6, base);
  }

  StateMap set(const std::string& name, const EventText& text, std::int64_t depth, const StateMap& before) {
    return room.with(before, room.add(name, text, depth, before));
  }
  // Also that the order of the states does not matter.
  std::string resolved(std::vector<StateMap> states, const std::string& type, const std::string& key = "") {
    const StateMap result = room.resolve(states);
    std::ranges::reverse(states);
    EXPECT_EQ(room.resolve(states), result);
    return room.holder(result, type, key);
  }

  ResolutionRoom room;
  StateMap base;
};

INSTANTIATE_TEST_SUITE_P(AnyNumbers, StateResolutionV1Test, testing::Range(0u, 4u));

TEST_P(StateResolutionV1Test, what_one_state_alone_has_is_in_no_conflict) {
  const StateMap with_topic = set("topic", topic(alice), 7, base);
  const StateMap with_other = set("other", topic(bob, "x"), 7, base);
  EXPECT_EQ(resolved({with_topic, with_other}, "m.room.topic"), "$topic");
  EXPECT_EQ(resolved({with_topic, with_other}, "m.room.topic", "x"), "$other");
  EXPECT_EQ(resolved({base, base}, "m.room.power_levels"), "$levels");
}

TEST_P(StateResolutionV1Test, the_newest_topic_that_is_allowed_wins) {
  const StateMap older = set("older", topic(alice), 7, base);
  const StateMap newer = set("newer", topic(bob), 8, base);
  const StateMap refused = set("refused", topic(carol), 9, base);
  EXPECT_EQ(resolved({older, newer}, "m.room.topic"), "$newer");
  EXPECT_EQ(resolved({older, newer, refused}, "m.room.topic"), "$newer");
}

TEST_P(StateResolutionV1Test, at_equal_depth_the_lowest_hash_of_the_id_wins) {
  const StateMap one = set("one", topic(alice), 7, base);
  const StateMap two = set("two", topic(bob), 7, base);
  const bool first = crypto::sha1("$one") < crypto::sha1("$two");
  EXPECT_EQ(resolved({one, two}, "m.room.topic"), first ? "$one" : "$two");
}

TEST_P(StateResolutionV1Test, the_oldest_topic_stays_when_none_is_allowed) {
  const StateMap older = set("older", topic(carol), 7, base);
  const StateMap newer = set("newer", topic(carol), 8, base);
  EXPECT_EQ(resolved({older, newer}, "m.room.topic"), "$older");
}

TEST_P(StateResolutionV1Test, power_levels_follow_one_another_as_long_as_they_are_allowed) {
  const StateMap second = set("second", levels(alice, R"(,"@bob:a":60)"), 7, base);
  EXPECT_EQ(resolved({base, second}, "m.room.power_levels"), "$second");
  // Bob may not give himself more than he has; what comes after that is not looked at.
  const StateMap greedy = set("greedy", levels(bob, R"(,"@bob:a":100)"), 8, base);
  const StateMap third = set("third", levels(alice, R"(,"@bob:a":70)"), 9, base);
  EXPECT_EQ(resolved({base, greedy, third}, "m.room.power_levels"), "$levels");
  EXPECT_EQ(resolved({second, third}, "m.room.power_levels"), "$third");
}

TEST_P(StateResolutionV1Test, power_levels_come_before_what_they_allow) {
  const StateMap without_bob = set("demoted", levels(alice, ""), 7, base);
  const StateMap by_bob = set("topic", topic(bob), 8, base);
  const StateMap by_alice = set("before", topic(alice), 7, without_bob);
  EXPECT_EQ(resolved({by_alice, by_bob}, "m.room.topic"), "$before");
}

TEST_P(StateResolutionV1Test, join_rules_come_before_members) {
  const StateMap closed = set("closed", rule(alice, "invite"), 7, base);
  const StateMap came = set("came", joins("@dave:b"), 8, base);
  const StateMap out = set("kicked", {"m.room.member", "@dave:b", alice, R"({"membership":"leave"})"}, 7, closed);
  EXPECT_EQ(resolved({out, came}, "m.room.join_rules"), "$closed");
  EXPECT_EQ(resolved({out, came}, "m.room.member", "@dave:b"), "$kicked");
}

TEST_P(StateResolutionV1Test, members_do_not_judge_one_another_while_they_are_resolved) {
  const StateMap banned = set("ban of carol", bans(bob, carol), 8, base);
  const StateMap away = set("ban of bob", bans(alice, bob), 7, base);
  EXPECT_EQ(resolved({banned, away}, "m.room.member", bob), "$ban of bob");
  EXPECT_EQ(resolved({banned, away}, "m.room.member", carol), "$carol") << "R has no member bob yet who could ban";
}

TEST_P(StateResolutionV1Test, members_come_before_what_they_send) {
  const StateMap banned = set("ban", bans(alice, bob), 7, base);
  const StateMap by_alice = set("before", topic(alice), 8, banned);
  const StateMap by_bob = set("topic", topic(bob), 9, base);
  EXPECT_EQ(resolved({by_alice, by_bob}, "m.room.topic"), "$before");
}

}  // namespace
}  // namespace causeway::test
