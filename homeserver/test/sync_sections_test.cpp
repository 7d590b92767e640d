// What /sync tells besides timelines and state: each kind alone, without rooms in a database.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "homeserver/sync/sections/device_key_counts.hpp"
#include "homeserver/sync/sections/typing.hpp"
#include "homeserver/test/support/run_task.hpp"

namespace causeway {
namespace {

using namespace std::chrono_literals;
using test::run_task;
using testing::ElementsAre;

constexpr RoomNid room{1}, other_room{2};
const UserId alice = UserId::trusted("@alice:test"), bob = UserId::trusted("@bob:test");

class SectionsTest : public testing::Test {
 protected:
  SectionsTest() {
    auto user = std::make_shared<UserIndex::User>();
    user->ignored.insert(bob.str());
    span.user = std::move(user);
    span.filter = std::make_shared<const Filter>();
    span.since.emplace();
    span.since->epoch = span.until.epoch = typing.epoch();
    for (RoomNid nid : {room, other_room}) {
      auto info = std::make_shared<RoomInfo>();
      info->nid = nid;
      info->id = RoomId::trusted("!" + std::to_string(to_int(nid)) + ":test");
      rooms.emplace_back().info = std::move(info);
    }
  }

  void read(Section& section) {
    run_task(reactor, section.read(span));
    run_task(reactor, section.read_rooms(span, rooms));
  }
  static std::vector<std::string> told(const Section& section, RoomNid of) {
    V3Room out;
    section.write_room(out, of);
    return out.ephemeral;
  }

  asio::io_context reactor, timers;  // the timers of those who type are not waited for
  ManualClock clock;
  TypingService typing{timers.get_executor(), clock, 7};
  SyncSpan span;
  std::vector<RoomPart> rooms;
};

TEST_F(SectionsTest, typing_is_told_of_rooms_where_it_changed_without_ignored_users) {
  typing.set(room, alice, true, 30s, true);
  typing.set(room, bob, true, 30s, true);
  TypingSection section(typing);
  read(section);
  EXPECT_TRUE(section.concerns(room));
  EXPECT_FALSE(section.concerns(other_room));
  EXPECT_TRUE(section.empty());
  EXPECT_FALSE(section.empty_in(room));
  EXPECT_TRUE(section.empty_in(other_room));
  EXPECT_THAT(told(section, room), ElementsAre(R"({"type":"m.typing","content":{"user_ids":["@alice:test"]}})"));
  EXPECT_THAT(told(section, other_room), ElementsAre());
}

TEST_F(SectionsTest, typing_of_another_epoch_is_told_of_every_room) {
  span.since->epoch = typing.epoch() + 1;
  TypingSection section(typing);
  read(section);
  EXPECT_TRUE(section.concerns(room));
  EXPECT_THAT(told(section, room), ElementsAre(R"({"type":"m.typing","content":{"user_ids":[]}})"));
}

TEST_F(SectionsTest, filter_keeps_typing_back) {
  typing.set(room, alice, true, 30s, true);
  span.filter =
      std::make_shared<const Filter>(Filter::parse(R"({"room":{"ephemeral":{"not_types":["m.typing"]}}})").value());
  TypingSection section(typing);
  read(section);
  EXPECT_TRUE(section.empty_in(room));
}

TEST_F(SectionsTest, device_key_counts_are_always_told_and_never_news) {
  DeviceKeyCountsSection section;
  read(section);
  EXPECT_TRUE(section.empty());
  std::string out;
  section.write(out);
  EXPECT_EQ(out, R"(,"device_one_time_keys_count":{},"device_unused_fallback_key_types":[])");
}

}  // namespace
}  // namespace causeway
