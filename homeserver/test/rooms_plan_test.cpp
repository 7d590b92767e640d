// What a new room starts with, told without a server.
#include <gtest/gtest.h>

#include "homeserver/rooms/making/room_plan.hpp"

namespace causeway {
namespace {

using boost::json::array;
using boost::json::object;

class RoomPlanTest : public ::testing::Test {
 protected:
  RoomPlanTest() { request.creator.user = UserId::trusted("@alice:here.example"); }

  Result<RoomPlan> plan() { return plan_room(request, ServerName::trusted("here.example")); }
  const InitialEvent* find(const RoomPlan& plan, std::string_view type) {
    auto found = std::ranges::find(plan.events, type, &InitialEvent::type);
    return found == plan.events.end() ? nullptr : &*found;
  }
  void start_with(const char* type, object content) {
    object event;
    event["type"] = type;
    event["content"] = std::move(content);
    request.initial_state.push_back(std::move(event));
  }

  CreateRoom request;
};

TEST_F(RoomPlanTest, initial_state_stands_above_the_preset_and_below_name_and_topic) {
  request.preset = "public_chat";
  request.name = "asked for";
  start_with("m.room.join_rules", {{"join_rule", "knock"}});
  start_with("m.room.name", {{"name", "initial"}});
  const RoomPlan made = plan().value();
  EXPECT_EQ(find(made, "m.room.join_rules")->content.at("join_rule"), "knock");
  EXPECT_EQ(find(made, "m.room.name")->content.at("name"), "asked for");
  EXPECT_EQ(std::ranges::count(made.events, std::string("m.room.name"), &InitialEvent::type), 1);
}

TEST_F(RoomPlanTest, those_whom_a_preset_trusts_are_creators_each_once_where_the_version_has_them) {
  request.preset = "trusted_private_chat";
  request.invite.push_back(UserId::trusted("@bob:here.example"));
  request.creation_content["additional_creators"] = array{"@bob:here.example", "@carol:there.example"};
  request.version = "12";
  EXPECT_EQ(plan()->create.at("additional_creators"), (array{"@bob:here.example", "@carol:there.example"}));
  EXPECT_FALSE(plan()->power_levels.at("users").as_object().contains("@bob:here.example"));
  request.creation_content.clear();
  request.version = "11";
  EXPECT_FALSE(plan()->create.contains("additional_creators"));
  EXPECT_EQ(plan()->power_levels.at("users").at("@bob:here.example"), 100);
}

TEST_F(RoomPlanTest, initial_state_invites_nobody) {
  start_with("m.room.member", {{"membership", "invite"}});
  const RoomPlan made = plan().value();
  EXPECT_EQ(check_plan(request, made).error().code, ErrorCode::invalid_room_state);
}

TEST_F(RoomPlanTest, what_can_be_no_room_is_refused_before_anything_is_made) {
  request.preset = "no_such_preset";
  EXPECT_EQ(plan().error().code, ErrorCode::invalid_param);
  request.preset.clear();
  request.alias_localpart = "a:b\n";
  EXPECT_EQ(plan().error().code, ErrorCode::invalid_param);
  request.alias_localpart.reset();
  request.version = "none";
  EXPECT_EQ(plan().error().code, ErrorCode::unsupported_room_version);
}

}  // namespace
}  // namespace causeway
