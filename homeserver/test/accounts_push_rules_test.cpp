#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "homeserver/accounts/push_rules.hpp"
#include "schema/json/json.hpp"

namespace causeway {
namespace {

using boost::json::object;
using ::testing::ElementsAre;

const UserId anna = UserId::trusted("@anna:example.org");

std::vector<std::string> ids(const object& rules, std::string_view kind) {
  std::vector<std::string> out;
  for (const auto& rule : rules.at("global").at(kind).as_array())
    out.emplace_back(rule.at("rule_id").as_string());
  return out;
}

TEST(PushRules, are_the_predefined_ones_in_their_order) {
  const object rules = default_push_rules(anna);
  EXPECT_THAT(ids(rules, "override"),
              ElementsAre(".m.rule.master", ".m.rule.suppress_notices", ".m.rule.invite_for_me", ".m.rule.member_event",
                          ".m.rule.is_user_mention", ".m.rule.is_room_mention", ".m.rule.tombstone", ".m.rule.reaction",
                          ".m.rule.room.server_acl", ".m.rule.suppress_edits"));
  EXPECT_THAT(ids(rules, "underride"), ElementsAre(".m.rule.call", ".m.rule.encrypted_room_one_to_one",
                                                   ".m.rule.room_one_to_one", ".m.rule.message", ".m.rule.encrypted"));
  for (const char* kind : {"content", "room", "sender"})
    EXPECT_THAT(ids(rules, kind), ElementsAre());
}

TEST(PushRules, only_the_master_rule_is_off) {
  const object rules = default_push_rules(anna);
  for (const char* kind : {"override", "underride"})
    for (const auto& rule : rules.at("global").at(kind).as_array()) {
      EXPECT_EQ(rule.at("enabled").as_bool(), rule.at("rule_id").as_string() != ".m.rule.master");
      EXPECT_TRUE(rule.at("default").as_bool());
    }
}

TEST(PushRules, name_the_user_where_they_are_about_the_user) {
  const object rules = default_push_rules(anna);
  EXPECT_EQ(
      boost::json::serialize(find_push_rule(rules, "override", ".m.rule.is_user_mention")->at("conditions")),
      R"([{"kind":"event_property_contains","key":"content.m\\.mentions.user_ids","value":"@anna:example.org"}])");
  EXPECT_EQ(boost::json::serialize(find_push_rule(rules, "override", ".m.rule.invite_for_me")->at("conditions").at(2)),
            R"({"kind":"event_match","key":"state_key","pattern":"@anna:example.org"})");
}

TEST(PushRules, have_actions_as_lists_even_of_one) {
  const object rules = default_push_rules(anna);
  EXPECT_EQ(boost::json::serialize(find_push_rule(rules, "underride", ".m.rule.message")->at("actions")),
            R"(["notify"])");
  EXPECT_EQ(boost::json::serialize(find_push_rule(rules, "override", ".m.rule.is_room_mention")->at("actions")),
            R"(["notify",{"set_tweak":"highlight"}])");
  EXPECT_EQ(boost::json::serialize(find_push_rule(rules, "override", ".m.rule.reaction")->at("actions")), "[]");
}

TEST(PushRules, of_unknown_kind_or_name_are_not_found) {
  const object rules = default_push_rules(anna);
  EXPECT_EQ(find_push_rule(rules, "override", ".m.rule.message"), nullptr);
  EXPECT_EQ(find_push_rule(rules, "nonsense", ".m.rule.message"), nullptr);
}

}  // namespace
}  // namespace causeway
