// Every authorisation rule, in every room version: a case it lets through and one it refuses, with the rule that
// refuses.
#include "homeserver/rooms/auth_rules.hpp"

#include <gtest/gtest.h>

#include "homeserver/test/support/room_kit.hpp"
#include "schema/crypto/crypto.hpp"
#include "schema/events/signing.hpp"

namespace causeway::test {
namespace {

const std::string creator = "@alice:a";
const std::string moderator = "@mod:a";  // level 50
const std::string member = "@bob:a";     // level 0
const std::string other_member = "@carol:b";
const std::string banned = "@eve:b";
const std::string invited = "@ivy:b";
const std::string knocked = "@ken:b";
const std::string stranger = "@sam:b";

std::string membership(const std::string& value) {
  return R"({"membership":")" + value + R"("})";
}
EventText member_event(const std::string& user, const std::string& sender, const std::string& value) {
  return {"m.room.member", user, sender, membership(value)};
}
EventText join_rules(const std::string& rule) {
  return {"m.room.join_rules", "", creator, R"({"join_rule":")" + rule + R"("})"};
}
EventText power_levels(const std::string& content) {
  return {"m.room.power_levels", "", creator, content};
}
EventText proposed_levels(const std::string& sender, const std::string& content) {
  return {"m.room.power_levels", "", sender, content};
}

// The room most cases start from.
FakeState room_state(const RoomVersion& version) {
  FakeState state;
  int count = 0;
  auto set = [&](const EventText& text) {
    EventPlace place{.id = "$state" + std::to_string(++count), .room_id = room_id_of(version)};
    state.set(make_event(version, text, place));
  };
  state.set(make_create(version));
  for (const auto& user : {creator, moderator, member, other_member})
    set(member_event(user, user, "join"));
  set(member_event(banned, creator, "ban"));
  set(member_event(invited, creator, "invite"));
  set(member_event(knocked, knocked, "knock"));
  const std::string of_creator = version.creators_are_privileged ? "" : R"("@alice:a":100,)";
  set(power_levels("{\"users\":{" + of_creator + R"("@mod:a":50},"invite":10,"events":{"m.topic":60}})"));
  set(join_rules("invite"));
  return state;
}

// One line of a table. `state` replaces what the room has; `v10` and `v12` are the rules that refuse it, "" for
// allowed.
struct Case {
  const char* guarantee;
  EventText event;
  const char* v10;
  const char* v12;
  std::vector<EventText> state = {};
};

class AuthRulesTest : public testing::TestWithParam<std::string> {
 protected:
  const RoomVersion& version() const { return *find_room_version(GetParam()); }
  bool is_v12() const { return version().auth == AuthRules::v12; }

  static std::string rule_of(const AuthVerdict& verdict) { return verdict ? std::string(verdict->rule) : ""; }

  std::string judge(const EventText& text, const FakeState& state, std::vector<std::string> prev = {"$prev"}) const {
    EventPlace place{.room_id = room_id_of(version()), .prev_events = std::move(prev)};
    return rule_of(check_auth(*make_event(version(), text, place), state));
  }

  void run(const std::vector<Case>& cases) const {
    for (const Case& line : cases) {
      SCOPED_TRACE(line.guarantee);
      FakeState state = room_state(version());
      for (const EventText& text : line.state)
        state.set(make_event(version(), text, {.id = "$replaced", .room_id = room_id_of(version())}));
      EXPECT_EQ(judge(line.event, state), is_v12() ? line.v12 : line.v10);
    }
  }
};

INSTANTIATE_TEST_SUITE_P(EveryVersion, AuthRulesTest, testing::Values("10", "11", "12"),
                         [](const auto& version) { return "v" + version.param; });

TEST_P(AuthRulesTest, create_is_judged_by_itself) {
  const FakeState empty;
  auto create = [&](const std::string& content, EventPlace place) {
    return rule_of(check_auth(*make_event(version(), {"m.room.create", "", creator, content}, place), empty));
  };
  const EventPlace good{.id = "$create", .room_id = is_v12() ? "" : "!room:a", .prev_events = {}};
  EventPlace bad = good;
  EXPECT_EQ(create(R"({"creator":"@alice:a"})", good), "");
  EXPECT_EQ(create(R"({"creator":"@alice:a","room_version":"11"})", good), "");
  EXPECT_EQ(create("{}", good), GetParam() == "10" ? "1.4" : "");
  EXPECT_EQ(create(R"({"creator":"@alice:a","room_version":"no such"})", good), "1.3");
  EXPECT_EQ(create(R"({"creator":"@alice:a","room_version":11})", good), "1.3");
  bad.prev_events = {"$other"};
  EXPECT_EQ(create(R"({"creator":"@alice:a"})", bad), "1.1");
  bad = good;
  bad.room_id = is_v12() ? "!create" : "!room:b";
  EXPECT_EQ(create(R"({"creator":"@alice:a"})", bad), "1.2");
}

TEST_P(AuthRulesTest, additional_creators_are_user_ids_from_version_12_on) {
  const FakeState empty;
  const EventPlace place{.id = "$create", .room_id = is_v12() ? "" : "!room:a", .prev_events = {}};
  auto create = [&](const std::string& additional) {
    const std::string content = R"({"creator":"@alice:a","additional_creators":)" + additional + "}";
    return rule_of(check_auth(*make_event(version(), {"m.room.create", "", creator, content}, place), empty));
  };
  EXPECT_EQ(create(R"(["@bob:a","@carol:b"])"), "");
  EXPECT_EQ(create("[]"), "");
  for (const char* wrong : {R"("@bob:a")", R"(["bob"])", R"([1])", R"({"@bob:a":1})", "null"})
    EXPECT_EQ(create(wrong), is_v12() ? "1.4" : "") << wrong;
}

TEST_P(AuthRulesTest, an_event_needs_the_create_event_of_its_room) {
  const EventText message{"m.room.message", std::nullopt, member};
  FakeState state = room_state(version());
  state.erase("m.room.create", "");
  EXPECT_EQ(judge(message, state), is_v12() ? "2" : "2.4");
  state = room_state(version());
  const auto elsewhere = make_event(version(), message, {.room_id = is_v12() ? "!another" : "!room:a"});
  EXPECT_EQ(rule_of(check_auth(*elsewhere, state)), is_v12() ? "2" : "");
}

TEST_P(AuthRulesTest, a_room_that_does_not_federate_is_for_its_own_server) {
  FakeState state = room_state(version());
  state.set(make_create(version(), R"({"m.federate":false})"));
  EXPECT_EQ(judge({"m.room.message", std::nullopt, member}, state), "");
  EXPECT_EQ(judge({"m.room.message", std::nullopt, other_member}, state), is_v12() ? "4" : "3");
  state.set(make_create(version(), R"({"m.federate":true})"));
  EXPECT_EQ(judge({"m.room.message", std::nullopt, other_member}, state), "");
}

TEST_P(AuthRulesTest, member_events_are_complete) {
  run({
      {"no state_key", {"m.room.member", std::nullopt, member, membership("join")}, "4.1", "5.1"},
      {"no membership", {"m.room.member", member, member, "{}"}, "4.1", "5.1"},
      {"membership of another type", {"m.room.member", member, member, R"({"membership":1})"}, "4.1", "5.1"},
      {"unknown membership", member_event(member, member, "lurk"), "4.8", "5.8"},
      {"authorising user is a user ID",
       {"m.room.member", member, member, R"({"membership":"join","join_authorised_via_users_server":"@mod:a"})"},
       "",
       ""},
      {"authorising user is not a user ID",
       {"m.room.member", member, member, R"({"membership":"join","join_authorised_via_users_server":"a"})"},
       "4.2.1",
       "5.2.1"},
  });
}

TEST_P(AuthRulesTest, the_creator_joins_first) {
  FakeState state;
  state.set(make_create(version()));
  EXPECT_EQ(judge(member_event(creator, creator, "join"), state, {"$create"}), "");
  EXPECT_EQ(judge(member_event(creator, creator, "join"), state, {"$create", "$other"}), is_v12() ? "5.3.7" : "4.3.7");
  EXPECT_EQ(judge(member_event(member, member, "join"), state, {"$create"}), is_v12() ? "5.3.7" : "4.3.7");
}

TEST_P(AuthRulesTest, the_first_member_is_whom_the_version_calls_creator) {
  FakeState state;
  state.set(make_create(version(), R"({"creator":"@bob:a","additional_creators":["@bob:a"]})"));
  const bool by_content = GetParam() == "10";
  EXPECT_EQ(judge(member_event(member, member, "join"), state, {"$create"}), by_content ? ""
                                                                             : is_v12() ? "5.3.7"
                                                                                        : "4.3.7");
  EXPECT_EQ(judge(member_event(creator, creator, "join"), state, {"$create"}), by_content ? "4.3.7" : "");
}

TEST_P(AuthRulesTest, joins_follow_the_join_rule) {
  run({
      {"joining for another", member_event(stranger, member, "join"), "4.3.2", "5.3.2"},
      {"banned users stay out", member_event(banned, banned, "join"), "4.3.3", "5.3.3", {join_rules("public")}},
      {"invited users join", member_event(invited, invited, "join"), "", ""},
      {"members join again", member_event(member, member, "join"), "", ""},
      {"strangers need an invite", member_event(stranger, stranger, "join"), "4.3.7", "5.3.7"},
      {"a knock is no invite", member_event(knocked, knocked, "join"), "4.3.7", "5.3.7", {join_rules("knock")}},
      {"invited after a knock", member_event(invited, invited, "join"), "", "", {join_rules("knock")}},
      {"public rooms are open", member_event(stranger, stranger, "join"), "", "", {join_rules("public")}},
      {"private is no rule for joins",
       member_event(invited, invited, "join"),
       "4.3.7",
       "5.3.7",
       {join_rules("private")}},
  });
}

TEST_P(AuthRulesTest, a_room_without_join_rules_is_for_the_invited) {
  FakeState state = room_state(version());
  state.erase("m.room.join_rules", "");
  EXPECT_EQ(judge(member_event(invited, invited, "join"), state), "");
  EXPECT_EQ(judge(member_event(stranger, stranger, "join"), state), is_v12() ? "5.3.7" : "4.3.7");
}

TEST_P(AuthRulesTest, restricted_joins_are_authorised_by_a_member_who_may_invite) {
  auto join_via = [](const std::string& user) {
    return EventText{"m.room.member", stranger, stranger,
                     R"({"membership":"join","join_authorised_via_users_server":")" + user + R"("})"};
  };
  for (const char* rule : {"restricted", "knock_restricted"}) {
    SCOPED_TRACE(rule);
    const std::vector<EventText> rules = {join_rules(rule)};
    run({
        {"members stay", member_event(member, member, "join"), "", "", rules},
        {"invited users join", member_event(invited, invited, "join"), "", "", rules},
        {"by a moderator", join_via(moderator), "", "", rules},
        {"by a creator", join_via(creator), "", "", rules},
        {"by nobody", member_event(stranger, stranger, "join"), "4.3.5.2", "5.3.5.2", rules},
        {"by one who may not invite", join_via(member), "4.3.5.2", "5.3.5.2", rules},
        {"by one who is not there", join_via(invited), "4.3.5.2", "5.3.5.2", rules},
    });
  }
}

TEST_P(AuthRulesTest, invites_need_a_member_with_the_level) {
  run({
      {"a moderator invites", member_event(stranger, moderator, "invite"), "", ""},
      {"a knock is answered", member_event(knocked, moderator, "invite"), "", ""},
      {"from outside", member_event(stranger, invited, "invite"), "4.4.2", "5.4.2"},
      {"of a member", member_event(member, moderator, "invite"), "4.4.3", "5.4.3"},
      {"of a banned user", member_event(banned, moderator, "invite"), "4.4.3", "5.4.3"},
      {"below the level", member_event(stranger, member, "invite"), "4.4.5", "5.4.5"},
      {"anyone by default", member_event(stranger, member, "invite"), "", "", {power_levels("{}")}},
  });
}

TEST_P(AuthRulesTest, leaves_kicks_and_unbans) {
  run({
      {"members leave", member_event(member, member, "leave"), "", ""},
      {"invites are declined", member_event(invited, invited, "leave"), "", ""},
      {"knocks are withdrawn", member_event(knocked, knocked, "leave"), "", ""},
      {"bans can't be left", member_event(banned, banned, "leave"), "4.5.1", "5.5.1"},
      {"strangers have nothing to leave", member_event(stranger, stranger, "leave"), "4.5.1", "5.5.1"},
      {"kicks from outside", member_event(member, invited, "leave"), "4.5.2", "5.5.2"},
      {"a moderator kicks", member_event(member, moderator, "leave"), "", ""},
      {"a member does not", member_event(other_member, member, "leave"), "4.5.5", "5.5.5"},
      {"nor a moderator the creator", member_event(creator, moderator, "leave"), "4.5.5", "5.5.5"},
      {"nor an equal",
       member_event(member, moderator, "leave"),
       "4.5.5",
       "5.5.5",
       {power_levels(R"({"users":{"@mod:a":50,"@bob:a":50}})")}},
      {"a moderator lifts a ban", member_event(banned, moderator, "leave"), "", ""},
      {"a kicker without the ban level does not",
       member_event(banned, moderator, "leave"),
       "4.5.3",
       "5.5.3",
       {power_levels(R"({"users":{"@mod:a":50},"ban":51})")}},
  });
}

TEST_P(AuthRulesTest, bans_need_the_level_and_a_weaker_target) {
  run({
      {"a moderator bans", member_event(member, moderator, "ban"), "", ""},
      {"a stranger is banned", member_event(stranger, moderator, "ban"), "", ""},
      {"from outside", member_event(member, invited, "ban"), "4.6.1", "5.6.1"},
      {"below the level", member_event(other_member, member, "ban"), "4.6.3", "5.6.3"},
      {"of the creator", member_event(creator, moderator, "ban"), "4.6.3", "5.6.3"},
  });
}

TEST_P(AuthRulesTest, knocks_follow_the_join_rule) {
  const std::vector<EventText> knock = {join_rules("knock")};
  run({
      {"a stranger knocks", member_event(stranger, stranger, "knock"), "", "", knock},
      {"again", member_event(knocked, knocked, "knock"), "", "", {join_rules("knock_restricted")}},
      {"where one can't", member_event(stranger, stranger, "knock"), "4.7.1", "5.7.1"},
      {"for another", member_event(stranger, member, "knock"), "4.7.2", "5.7.2", knock},
      {"banned", member_event(banned, banned, "knock"), "4.7.4", "5.7.4", knock},
      {"invited", member_event(invited, invited, "knock"), "4.7.4", "5.7.4", knock},
      {"in the room", member_event(member, member, "knock"), "4.7.4", "5.7.4", knock},
  });
}

TEST_P(AuthRulesTest, other_events_need_membership_level_and_an_own_state_key) {
  run({
      {"a member speaks", {"m.room.message", std::nullopt, member}, "", ""},
      {"an invited user does not", {"m.room.message", std::nullopt, invited}, "5", "6"},
      {"a stranger does not", {"m.room.message", std::nullopt, stranger}, "5", "6"},
      {"a moderator sets state", {"m.room.name", "", moderator}, "", ""},
      {"a member does not", {"m.room.name", "", member}, "7", "8"},
      {"nor without power levels' state_default", {"m.room.name", "", member}, "7", "8", {power_levels("{}")}},
      {"levels by type come first", {"m.topic", "", moderator}, "7", "8"},
      {"and hold for messages", {"m.topic", std::nullopt, member}, "7", "8"},
      {"a creator is above them", {"m.topic", "", creator}, "", ""},
      {"events_default", {"m.x", std::nullopt, member}, "7", "8", {power_levels(R"({"events_default":1})")}},
      {"state_default", {"m.x", "", member}, "", "", {power_levels(R"({"state_default":0})")}},
      {"users_default", {"m.x", "", member}, "", "", {power_levels(R"({"users_default":50})")}},
      {"an own state_key", {"m.x", moderator, moderator}, "", ""},
      {"another's state_key", {"m.x", member, moderator}, "8", "9"},
      {"no user at all", {"m.x", "@", moderator}, "8", "9"},
      {"redactions are events like others", {"m.room.redaction", std::nullopt, member}, "", ""},
  });
}

TEST_P(AuthRulesTest, a_room_without_power_levels_has_defaults) {
  FakeState state = room_state(version());
  state.erase("m.room.power_levels", "");
  EXPECT_EQ(judge({"m.room.name", "", creator}, state), "");
  EXPECT_EQ(judge({"m.room.name", "", moderator}, state), is_v12() ? "8" : "7");
  EXPECT_EQ(judge(proposed_levels(creator, R"({"ban":100})"), state), "");
}

TEST_P(AuthRulesTest, third_party_invites_are_offered_by_those_who_may_invite) {
  run({
      {"a moderator offers", {"m.room.third_party_invite", "token", moderator}, "", ""},
      {"a member does not", {"m.room.third_party_invite", "token", member}, "6.1", "7.1"},
      {"the type's own level does not count",
       {"m.room.third_party_invite", "token", member},
       "",
       "",
       {power_levels(R"({"events":{"m.room.third_party_invite":100}})")}},
  });
}

class ThirdPartyInviteTest : public AuthRulesTest {
 protected:
  ThirdPartyInviteTest() : key_((crypto::initialise(), crypto::SigningKey::generate("ed25519:0"))) {}

  json::object signed_by(const crypto::SigningKey& key, const std::string& mxid = stranger) const {
    json::object object = {{"mxid", mxid}, {"token", "token"}, {"sender", moderator}};
    sign_json(object, "identity", key);
    return object;
  }
  FakeState with_offer(const json::object& content) const {
    FakeState state = room_state(version());
    state.set(make_event(version(), {"m.room.third_party_invite", "token", moderator, boost::json::serialize(content)},
                         {.id = "$offer", .room_id = room_id_of(version())}));
    return state;
  }
  FakeState with_offer() const { return with_offer({{"public_key", crypto::base64(key_.public_key())}}); }
  EventText invite(const json::value& third_party, const std::string& target = stranger,
                   const std::string& sender = moderator) const {
    const json::object content = {{"membership", "invite"}, {"third_party_invite", third_party}};
    return {"m.room.member", target, sender, boost::json::serialize(content)};
  }
  EventText invite_signed(const json::object& signed_object) const {
    return invite(json::object{{"signed", signed_object}});
  }
  std::string number(const std::string& rest) const { return (is_v12() ? "5.4.1." : "4.4.1.") + rest; }

  crypto::SigningKey key_;
};

INSTANTIATE_TEST_SUITE_P(EveryVersion, ThirdPartyInviteTest, testing::Values("10", "11", "12"),
                         [](const auto& version) { return "v" + version.param; });

TEST_P(ThirdPartyInviteTest, any_key_of_the_offer_lets_the_invite_through) {
  const std::string good = key_.public_key();
  const auto invite = invite_signed(signed_by(key_));
  EXPECT_EQ(judge(invite, with_offer()), "");
  EXPECT_EQ(judge(invite, with_offer({{"public_key", crypto::base64_url(good)}})), "");
  const json::array keys = {json::object{{"public_key", "AAAA"}}, 1,
                            json::object{{"public_key", crypto::base64(good)}}};
  EXPECT_EQ(judge(invite, with_offer({{"public_key", "?"}, {"public_keys", keys}})), "");
}

TEST_P(ThirdPartyInviteTest, its_sender_need_not_be_in_the_room) {
  FakeState state = with_offer();
  state.erase("m.room.member", moderator);
  EXPECT_EQ(judge(invite_signed(signed_by(key_)), state), "");
}

TEST_P(ThirdPartyInviteTest, each_flaw_is_refused_by_its_rule) {
  const json::object good = signed_by(key_);
  const FakeState state = with_offer();
  EXPECT_EQ(judge(invite(json::object{{"signed", signed_by(key_, banned)}}, banned), state), number("1"));
  EXPECT_EQ(judge(invite(json::object()), state), number("2"));
  EXPECT_EQ(judge(invite("text"), state), number("2"));
  EXPECT_EQ(judge(invite_signed({{"mxid", stranger}}), state), number("3"));
  EXPECT_EQ(judge(invite_signed({{"token", "token"}}), state), number("3"));
  EXPECT_EQ(judge(invite_signed(signed_by(key_, "@other:b")), state), number("4"));
  EXPECT_EQ(judge(invite_signed(good), room_state(version())), number("5"));
  EXPECT_EQ(judge(invite(json::object{{"signed", good}}, stranger, creator), state), number("6"));
  EXPECT_EQ(judge(invite_signed(signed_by(crypto::SigningKey::generate("ed25519:0"))), state), number("8"));
  json::object tampered = good;
  tampered["sender"] = creator;
  EXPECT_EQ(judge(invite_signed(tampered), state), number("8"));
}

TEST_P(ThirdPartyInviteTest, a_flood_of_keys_and_signatures_ends_refused) {
  json::array keys;
  for (int i = 0; i < 500; ++i)
    keys.push_back(json::object{{"public_key", crypto::base64(key_.public_key())}});
  json::object signed_object = {{"mxid", stranger}, {"token", "token"}};
  json::object& signatures = signed_object["signatures"].emplace_object();
  for (int i = 0; i < 500; ++i)
    signatures["s" + std::to_string(i)] = json::object{{"ed25519:0", std::string(86, 'A')}};
  EXPECT_EQ(judge(invite_signed(signed_object), with_offer({{"public_keys", keys}})), number("8"));
}

TEST_P(AuthRulesTest, power_levels_are_integers) {
  for (const char* key : {"users_default", "events_default", "state_default", "ban", "redact", "kick", "invite"})
    for (const char* value : {"\"1\"", "null", "true", "{}"}) {
      const std::string content = std::string("{\"") + key + "\":" + value + "}";
      run({{content.c_str(), proposed_levels(creator, content), "9.1", "10.1"}});
    }
  for (const char* key : {"events", "notifications"})
    for (const char* value : {"1", "[]", R"({"m.x":"1"})", R"({"m.x":null})"}) {
      const std::string content = std::string("{\"") + key + "\":" + value + "}";
      run({{content.c_str(), proposed_levels(creator, content), "9.2", "10.2"}});
    }
  run({
      {"users no object", proposed_levels(creator, R"({"users":[]})"), "9.3", "10.3"},
      {"no integer in users", proposed_levels(creator, R"({"users":{"@bob:a":"1"}})"), "9.3", "10.3"},
      {"no user ID in users", proposed_levels(creator, R"({"users":{"bob":1}})"), "9.3", "10.3"},
      {"all is well", proposed_levels(creator, R"({"users":{"@bob:a":1},"notifications":{"room":5}})"), "", ""},
  });
}

TEST_P(AuthRulesTest, creators_are_not_in_users_from_version_12_on) {
  FakeState state = room_state(version());
  state.set(make_create(version(), R"({"additional_creators":["@carol:b"]})"));
  const std::string refusal = is_v12() ? "10.4" : "";
  EXPECT_EQ(judge(proposed_levels(creator, R"({"users":{"@alice:a":100}})"), state), refusal);
  EXPECT_EQ(judge(proposed_levels(creator, R"({"users":{"@alice:a":100,"@carol:b":100}})"), state), refusal);
  EXPECT_EQ(judge(proposed_levels(creator, R"({"users":{"@bob:a":100}})"), state), "");
}

TEST_P(AuthRulesTest, additional_creators_are_above_all_from_version_12_on) {
  FakeState state = room_state(version());
  state.set(make_create(version(), R"({"additional_creators":["@carol:b"]})"));
  EXPECT_EQ(judge({"m.topic", "", other_member}, state), is_v12() ? "" : "7");
  EXPECT_EQ(judge(member_event(other_member, creator, "leave"), state), is_v12() ? "5.5.5" : "");
  EXPECT_EQ(judge(proposed_levels(other_member, R"({"ban":9007199254740991})"), state), is_v12() ? "" : "7");
}

// The moderator has 50; each proposal differs from what is in force by what the case names.
TEST_P(AuthRulesTest, power_levels_change_only_up_to_the_senders_own) {
  const std::vector<EventText> in_force = {
      power_levels(R"({"users":{"@mod:a":50,"@bob:a":49,"@peer:a":50,"@boss:a":90},"ban":60,"kick":50,)"
                   R"("events":{"m.room.power_levels":0,"m.low":50,"m.high":51},"notifications":{"room":51}})")};
  auto propose = [](const std::string& users, const std::string& rest) {
    return proposed_levels(moderator, "{\"users\":{" + users + "}," + rest + "}");
  };
  const std::string users = R"("@mod:a":50,"@bob:a":49,"@peer:a":50,"@boss:a":90)";
  const std::string maps = R"("events":{"m.room.power_levels":0,"m.low":50,"m.high":51},"notifications":{"room":51})";
  const std::string levels = R"("ban":60,"kick":50,)" + maps;
  const std::string singles = R"("ban":60,"kick":50,)";
  const std::string high = R"("m.high":51},"notifications":{"room":51})";
  run({
      {"nothing", propose(users, levels), "", "", in_force},
      {"level lowered", propose(users, R"("ban":60,"kick":0,)" + maps), "", "", in_force},
      {"level removed", propose(users, R"("ban":60,)" + maps), "", "", in_force},
      {"level added", propose(users, R"("redact":50,)" + levels), "", "", in_force},
      {"higher level lowered", propose(users, R"("ban":50,"kick":50,)" + maps), "9.5.1", "10.6.1", in_force},
      {"higher level removed", propose(users, R"("kick":50,)" + maps), "9.5.1", "10.6.1", in_force},
      {"level raised above", propose(users, R"("ban":60,"kick":51,)" + maps), "9.5.2", "10.6.2", in_force},
      {"level added above", propose(users, R"("redact":51,)" + levels), "9.5.2", "10.6.2", in_force},
      {"event lowered", propose(users, singles + R"("events":{"m.room.power_levels":0,"m.low":0,)" + high), "", "",
       in_force},
      {"event removed", propose(users, singles + R"("events":{"m.room.power_levels":0,)" + high), "", "", in_force},
      {"higher event lowered",
       propose(users,
               singles + R"("events":{"m.room.power_levels":0,"m.low":50,"m.high":50},"notifications":{"room":51})"),
       "9.6.1", "10.7.1", in_force},
      {"higher event removed",
       propose(users, singles + R"("events":{"m.room.power_levels":0,"m.low":50},"notifications":{"room":51})"),
       "9.6.1", "10.7.1", in_force},
      {"higher notification removed",
       propose(users, singles + R"("events":{"m.room.power_levels":0,"m.low":50,"m.high":51})"), "9.6.1", "10.7.1",
       in_force},
      {"event raised above", propose(users, singles + R"("events":{"m.room.power_levels":0,"m.low":51,)" + high),
       "9.7.1", "10.8.1", in_force},
      {"event added above",
       propose(users, singles + R"("events":{"m.room.power_levels":0,"m.low":50,"m.new":51,)" + high), "9.7.1",
       "10.8.1", in_force},
      {"weaker user raised", propose(R"("@mod:a":50,"@bob:a":50,"@peer:a":50,"@boss:a":90)", levels), "", "", in_force},
      {"weaker user removed", propose(R"("@mod:a":50,"@peer:a":50,"@boss:a":90)", levels), "", "", in_force},
      {"own level lowered", propose(R"("@mod:a":1,"@bob:a":49,"@peer:a":50,"@boss:a":90)", levels), "", "", in_force},
      {"own level removed", propose(R"("@bob:a":49,"@peer:a":50,"@boss:a":90)", levels), "", "", in_force},
      {"own level raised", propose(R"("@mod:a":51,"@bob:a":49,"@peer:a":50,"@boss:a":90)", levels), "9.9.1", "10.10.1",
       in_force},
      {"peer lowered", propose(R"("@mod:a":50,"@bob:a":49,"@peer:a":0,"@boss:a":90)", levels), "9.8.1", "10.9.1",
       in_force},
      {"boss removed", propose(R"("@mod:a":50,"@bob:a":49,"@peer:a":50)", levels), "9.8.1", "10.9.1", in_force},
      {"user raised above", propose(R"("@mod:a":50,"@bob:a":51,"@peer:a":50,"@boss:a":90)", levels), "9.9.1", "10.10.1",
       in_force},
      {"user added above", propose(users + R"(,"@new:a":51)", levels), "9.9.1", "10.10.1", in_force},
  });
}

class AuthEventsTest : public AuthRulesTest {
 protected:
  EventPtr state_event(const EventText& text, const std::string& room_id = "") const {
    return make_event(version(), text, {.id = "$auth", .room_id = room_id.empty() ? room_id_of(version()) : room_id});
  }
  std::vector<AuthEventEntry> entries(std::vector<EventPtr> events) const {
    std::vector<AuthEventEntry> out;
    if (!is_v12()) out.push_back({make_create(version())});
    for (auto& event : events)
      out.push_back({std::move(event)});
    return out;
  }
  std::string judge_list(const EventText& text, const std::vector<AuthEventEntry>& list) const {
    return rule_of(check_auth_events(*make_event(version(), text, {.room_id = room_id_of(version())}), list));
  }
  const EventText message_{"m.room.message", std::nullopt, member};
  const EventText own_join_ = member_event(member, member, "join");
};

INSTANTIATE_TEST_SUITE_P(EveryVersion, AuthEventsTest, testing::Values("10", "11", "12"),
                         [](const auto& version) { return "v" + version.param; });

TEST_P(AuthEventsTest, the_list_is_checked_entry_by_entry) {
  const auto join = state_event(own_join_);
  EXPECT_EQ(judge_list(message_, entries({join, state_event(power_levels("{}"))})), "");
  EXPECT_EQ(judge_list(message_, entries({join, join})), is_v12() ? "3.1" : "2.1");
  EXPECT_EQ(judge_list(message_, entries({join, state_event(join_rules("public"))})), is_v12() ? "3.2" : "2.2");
  EXPECT_EQ(judge_list(message_, entries({join, state_event(message_)})), is_v12() ? "3.2" : "2.2");
  auto rejected = entries({join});
  rejected.back().rejected = true;
  EXPECT_EQ(judge_list(message_, rejected), is_v12() ? "3.3" : "2.3");
  EXPECT_EQ(judge_list(message_, entries({state_event(own_join_, "!other:a")})), is_v12() ? "3.5" : "2.5");
}

TEST_P(AuthEventsTest, the_create_event_is_there_or_must_not_be) {
  std::vector<AuthEventEntry> list = {{state_event(own_join_)}};
  EXPECT_EQ(judge_list(message_, list), is_v12() ? "" : "2.4");
  list.push_back({make_create(version())});
  EXPECT_EQ(judge_list(message_, list), is_v12() ? "3.2" : "");
}

TEST_P(AuthEventsTest, selection_names_what_an_event_is_judged_by) {
  auto keys = [&](const std::string& type, std::optional<std::string> state_key, const std::string& content) {
    std::string text;
    for (const StateKey& key :
         auth_event_keys(version(), type, state_key, UserId::trusted(member), json::parse_object(content).value()))
      text += key.type.substr(7) + "/" + key.state_key + " ";
    return text;
  };
  const std::string basis = std::string(is_v12() ? "" : "create/ ") + "power_levels/ member/@bob:a ";
  EXPECT_EQ(keys("m.room.create", "", "{}"), "");
  EXPECT_EQ(keys("m.room.message", std::nullopt, R"({"membership":"join"})"), basis);
  EXPECT_EQ(keys("m.room.member", member, membership("join")), basis + "join_rules/ ");
  EXPECT_EQ(keys("m.room.member", member, membership("knock")), basis + "join_rules/ ");
  EXPECT_EQ(keys("m.room.member", member, membership("leave")), basis);
  EXPECT_EQ(keys("m.room.member", stranger, membership("ban")), basis + "member/@sam:b ");
  EXPECT_EQ(keys("m.room.member", stranger, membership("invite")), basis + "member/@sam:b join_rules/ ");
  EXPECT_EQ(keys("m.room.member", stranger, R"({"membership":"invite","third_party_invite":{"signed":{"token":"t"}}})"),
            basis + "member/@sam:b join_rules/ third_party_invite/t ");
  EXPECT_EQ(keys("m.room.member", member, R"({"membership":"join","join_authorised_via_users_server":"@mod:a"})"),
            basis + "join_rules/ member/@mod:a ");
}

TEST_P(AuthRulesTest, power_levels_have_defaults) {
  const EventPtr create = make_create(version());
  const PowerLevels none(nullptr, create.get());
  const std::int64_t of_creator = is_v12() ? PowerLevels::creator_level : 100;
  EXPECT_EQ(none.user(UserId::trusted(creator)), of_creator);
  EXPECT_EQ(none.user(UserId::trusted(member)), 0);
  EXPECT_EQ(none.required_for("m.x", true), 50);
  EXPECT_EQ(none.required_for("m.x", false), 0);
  EXPECT_EQ(none.invite(), 0);
  EXPECT_EQ(none.kick(), 50);
  EXPECT_EQ(none.ban(), 50);
  EXPECT_EQ(none.redact(), 50);
  EXPECT_EQ(none.notification("room"), 50);

  const EventPtr event = make_event(version(), power_levels(R"({"users_default":7,"notifications":{"room":3}})"), {});
  const PowerLevels set(event.get(), create.get());
  EXPECT_EQ(set.user(UserId::trusted(creator)), is_v12() ? PowerLevels::creator_level : 7);
  EXPECT_EQ(set.user(UserId::trusted(member)), 7);
  EXPECT_EQ(set.notification("room"), 3);
}

}  // namespace
}  // namespace causeway::test
