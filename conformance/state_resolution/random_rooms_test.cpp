// Random rooms that fork and merge: the real state resolution against the naive one, in any order and with any numbers.
#include <gtest/gtest.h>

#include <random>

#include "conformance/state_resolution/naive_state_resolution.hpp"
#include "conformance/state_resolution/seeds.hpp"
#include "homeserver/test/support/resolution_room.hpp"

namespace causeway::test {
namespace {

const std::vector<std::string> users = {"@alice:a", "@bob:a", "@carol:b", "@dave:b", "@eve:c"};

class RandomRoom {
 public:
  RandomRoom(const RoomVersion& version, unsigned seed) : random_(seed), room_(version, seed) {
    StateMap state = room_.with({}, room_.add_create(R"({"additional_creators":["@bob:a"]})"));
    state = append(state, {"m.room.member", users[0], users[0], R"({"membership":"join"})"});
    const std::string of_alice = version.creators_are_privileged ? "" : R"("@alice:a":100,)";
    state = append(state, {"m.room.power_levels", "", users[0],
                           "{\"users\":{" + of_alice + R"("@carol:b":50},"state_default":0,"kick":40,"ban":40})"});
    state = append(state, {"m.room.join_rules", "", users[0], R"({"join_rule":"public"})"});
    for (const auto& user : users)
      state = append(state, {"m.room.member", user, user, R"({"membership":"join"})"});
    tips_ = {state};
  }

  ResolutionRoom& room() { return room_; }

  // One step: an event on a branch, a new branch, or a merge of some. Returns what was merged.
  std::vector<StateMap> step() {
    const int what = roll(10);
    if (what < 6) {
      StateMap& tip = tips_[roll(tips_.size())];
      tip = try_append(tip);
      return {};
    }
    if (what < 8 && tips_.size() < 5) {
      tips_.push_back(tips_[roll(tips_.size())]);
      return {};
    }
    std::shuffle(tips_.begin(), tips_.end(), random_);
    const std::size_t count = 1 + roll(tips_.size());
    std::vector<StateMap> merged(tips_.end() - static_cast<std::ptrdiff_t>(count), tips_.end());
    tips_.resize(tips_.size() - count);
    tips_.push_back(room_.resolve(merged));
    return merged;
  }

  const NaiveGraph& naive_graph() const { return naive_; }
  std::mt19937& random() { return random_; }

 private:
  std::size_t roll(std::size_t sides) { return random_() % sides; }
  const std::string& some_user() { return users[roll(users.size())]; }

  EventText some_event() {
    const std::string sender = some_user();
    switch (roll(8)) {
      case 0:
        return some_power_levels(sender);
      case 1:
        return {"m.room.join_rules", "", sender, roll(2) ? R"({"join_rule":"public"})" : R"({"join_rule":"invite"})"};
      case 2:
        return {"m.room.member", some_user(), sender, R"({"membership":"ban"})"};
      case 3:
        return {"m.room.member", some_user(), sender, R"({"membership":"leave"})"};
      case 4:
        return {"m.room.member", some_user(), sender, R"({"membership":"invite"})"};
      case 5:
        return {"m.room.member", sender, sender, R"({"membership":"join"})"};
      default:
        return {"m.room.topic", roll(2) ? "" : "x", sender};
    }
  }
  EventText some_power_levels(const std::string& sender) {
    std::string content = "{\"users\":{";
    for (const auto& user : users) {
      const bool creator = room_.version().creators_are_privileged && (user == users[0] || user == users[1]);
      if (creator || (user != users[0] && roll(3) == 0)) continue;
      if (content.back() != '{') content += ',';
      content += "\"" + user + "\":" + std::to_string(user == users[0] ? 100 : roll(4) * 25);
    }
    return {"m.room.power_levels", "", sender, content + R"(},"state_default":0,"kick":40,"ban":40})"};
  }

  StateMap try_append(const StateMap& before) {
    for (int attempt = 0; attempt < 20; ++attempt)
      if (const EventText text = some_event(); room_.allows(text, before)) return append(before, text);
    return before;
  }
  StateMap append(const StateMap& before, const EventText& text) {
    // Few timestamps, so that ties are common.
    const EventNid nid = room_.add(std::to_string(random_()), text, static_cast<Timestamp>(roll(6)), before);
    if (roll(40) == 0) room_.mark_rejected(nid);
    record(nid);
    return room_.with(before, nid);
  }
  void record(EventNid nid) {
    const GraphEvent* event = room_.find(nid);
    NaiveEvent& naive = naive_[event->event->id().str()];
    naive.event = event->event;
    naive.rejected = event->rejected;
    for (EventNid auth : event->auth) {
      const GraphEvent* cited = room_.find(auth);
      naive.auth.push_back(cited->event->id().str());
      naive_[naive.auth.back()].event = cited->event;
    }
    if (naive_.size() == 1) record_create();
  }
  void record_create() {
    const EventPtr create = make_create(room_.version(), R"({"additional_creators":["@bob:a"]})");
    naive_[create->id().str()].event = create;
  }

  std::mt19937 random_;
  ResolutionRoom room_;
  NaiveGraph naive_;
  std::vector<StateMap> tips_;
};

void compare_with_naive(RandomRoom& random, const std::vector<StateMap>& merged) {
  ResolutionRoom& room = random.room();
  std::vector<NaiveState> naive;
  for (const StateMap& state : merged)
    naive.push_back(room.describe(state));
  const NaiveState expected = resolve_naively(room.version(), naive, random.naive_graph());
  std::vector<StateMap> shuffled = merged;
  for (int i = 0; i < 3; ++i) {
    ASSERT_EQ(room.describe(room.resolve(shuffled)), expected);
    ASSERT_EQ(room.describe(room.resolve_fetching(shuffled)), expected);
    std::shuffle(shuffled.begin(), shuffled.end(), random.random());
  }
}

class RandomStateResolutionTest : public testing::TestWithParam<std::string> {};

INSTANTIATE_TEST_SUITE_P(EveryVersion, RandomStateResolutionTest,
                         testing::Values("1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12"),
                         [](const auto& version) { return "v" + version.param; });

TEST_P(RandomStateResolutionTest, agrees_with_the_naive_one_in_any_order) {
  const Seeds seeds(12);
  std::size_t conflicts = 0;
  for (unsigned seed = seeds.first; seed < seeds.first + seeds.count; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    RandomRoom random(*find_room_version(GetParam()), seed);
    for (int step = 0; step < 80; ++step) {
      const auto merged = random.step();
      if (std::ranges::adjacent_find(merged, std::not_equal_to<>()) == merged.end()) continue;
      ++conflicts;
      compare_with_naive(random, merged);
      if (testing::Test::HasFatalFailure()) return;
    }
  }
  EXPECT_GT(conflicts, seeds.count * 4);
}

}  // namespace
}  // namespace causeway::test
