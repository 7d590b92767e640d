// Every authorisation rule, in every room version: the cases of auth_rule_cases_*.cpp, and that none is missing.
#include "homeserver/rooms/auth/auth_rules.hpp"

#include <gtest/gtest.h>

#include "homeserver/test/support/auth_rule_cases.hpp"

namespace causeway::test {

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
  if (version.has_knocking) set(member_event(knocked, knocked, "knock"));
  const std::string of_creator = version.creators_are_privileged ? "" : R"("@alice:a":100,)";
  set(power_levels("{\"users\":{" + of_creator + R"("@mod:a":50},"invite":10,"events":{"m.topic":60}})"));
  set(join_rules("invite"));
  return state;
}

void Trial::set(const EventText& text) {
  state.set(make_event(version, text, {.id = "$replaced", .room_id = room_id_of(version)}));
}

RuleEffect effect_of(AuthRule rule) {
  return all_auth_rules()[static_cast<std::size_t>(rule)].effect;
}

Case& Cases::accepts(AuthRule about, std::string guarantee, EventText event, std::vector<EventText> state) {
  std::optional<AuthRule> settles;
  if (effect_of(about) != RuleEffect::refuses) settles = about;
  return all_.emplace_back(about, true, settles, std::move(guarantee), std::move(event), std::move(state));
}

Case& Cases::refuses(AuthRule about, std::string guarantee, EventText event, std::vector<EventText> state) {
  return all_.emplace_back(about, false, about, std::move(guarantee), std::move(event), std::move(state));
}

Case& Cases::leaves_to(AuthRule about, AuthRule refuser, std::string guarantee, EventText event,
                       std::vector<EventText> state) {
  return all_.emplace_back(about, false, refuser, std::move(guarantee), std::move(event), std::move(state));
}

namespace {

const std::deque<Case>& all_cases() {
  static const Cases cases = [] {
    Cases made;
    add_room_cases(made);
    add_member_cases(made);
    add_invite_cases(made);
    add_levels_cases(made);
    return made;
  }();
  return cases.all();
}

class AuthRulesTest : public testing::TestWithParam<int> {
 protected:
  const RoomVersion& version() const { return *find_room_version(std::to_string(GetParam())); }
  bool is_v12() const { return GetParam() == 12; }

  bool applies(const Case& line) const {
    return line.first <= GetParam() && GetParam() <= line.last && !number_of(line.about, version()).empty();
  }

  AuthVerdict judge(const Case& line, AuthRule& settled_by) const {
    Trial trial{version(), line.event, {.room_id = room_id_of(version())}, room_state(version())};
    for (const EventText& text : line.state)
      trial.set(text);
    if (line.arrange) line.arrange(trial);
    const EventPtr event = make_event(version(), trial.event, trial.place);
    if (trial.auth_events) return check_auth_events(*event, *trial.auth_events);
    settled_by = decide_auth(*event, trial.state).rule;
    return check_auth(*event, trial.state);
  }
};

INSTANTIATE_TEST_SUITE_P(EveryVersion, AuthRulesTest, testing::Range(1, 13),
                         [](const auto& version) { return "v" + std::to_string(version.param); });

TEST_P(AuthRulesTest, cases_are_decided_by_the_rule_they_name) {
  for (const Case& line : all_cases()) {
    if (!applies(line)) continue;
    SCOPED_TRACE("rule " + std::string(number_of(line.about, version())) + ": " + line.guarantee);
    AuthRule rule = line.about;
    const AuthVerdict verdict = judge(line, rule);
    EXPECT_EQ(!verdict.has_value(), line.allowed) << (verdict ? verdict->reason : "allowed");
    if (verdict) rule = verdict->rule;
    EXPECT_EQ(number_of(rule, version()), number_of(line.decided_by.value_or(rule), version()));
  }
}

TEST_P(AuthRulesTest, no_rule_is_without_a_case_it_accepts_and_one_it_refuses) {
  std::set<std::pair<AuthRule, bool>> covered;
  for (const Case& line : all_cases())
    if (applies(line)) covered.emplace(line.about, line.allowed);
  std::string missing;
  for (const AuthRuleEntry& entry : all_auth_rules()) {
    const std::string number(number_of(entry.rule, version()));
    if (number.empty()) continue;
    if (!covered.contains({entry.rule, true})) missing += " " + number + " (accepting)";
    if (!covered.contains({entry.rule, false})) missing += " " + number + " (refusing)";
  }
  EXPECT_EQ(missing, "") << "rules without a case";
}

// The numbers of the rules that have no rules below them, in the order of the specification's pages.
TEST_P(AuthRulesTest, rules_are_numbered_as_in_the_specification) {
  static const std::map<AuthRules, std::string> specified = {
      {AuthRules::v1,
       "1.1 1.2 1.3 1.4 1.5 2.1 2.2 2.3 2.4 2.5 3 4.1 4.2 4.3 5.1 5.2.1 5.2.2 5.2.3 5.2.4 5.2.5 5.2.6 "
       "5.3.1.1 5.3.1.2 5.3.1.3 5.3.1.4 5.3.1.5 5.3.1.6 5.3.1.7 5.3.1.8 5.3.2 5.3.3 5.3.4 5.3.5 5.4.1 5.4.2 "
       "5.4.3 5.4.4 5.4.5 5.5.1 5.5.2 5.5.3 5.6 6 7.1 8 9 10.1 10.2 10.3.1 10.3.2 10.4.1 10.5.1 10.6.1 "
       "10.7.1 10.8 11.1 11.2 11.3 12"},
      {AuthRules::v3,
       "1.1 1.2 1.3 1.4 1.5 2.1 2.2 2.3 2.4 2.5 3 4.1 4.2 4.3 5.1 5.2.1 5.2.2 5.2.3 5.2.4 5.2.5 5.2.6 "
       "5.3.1.1 5.3.1.2 5.3.1.3 5.3.1.4 5.3.1.5 5.3.1.6 5.3.1.7 5.3.1.8 5.3.2 5.3.3 5.3.4 5.3.5 5.4.1 5.4.2 "
       "5.4.3 5.4.4 5.4.5 5.5.1 5.5.2 5.5.3 5.6 6 7.1 8 9 10.1 10.2 10.3.1 10.3.2 10.4.1 10.5.1 10.6.1 "
       "10.7.1 10.8 11"},
      {AuthRules::v6,
       "1.1 1.2 1.3 1.4 1.5 2.1 2.2 2.3 2.4 2.5 3 4.1 4.2.1 4.2.2 4.2.3 4.2.4 4.2.5 4.2.6 4.3.1.1 4.3.1.2 "
       "4.3.1.3 4.3.1.4 4.3.1.5 4.3.1.6 4.3.1.7 4.3.1.8 4.3.2 4.3.3 4.3.4 4.3.5 4.4.1 4.4.2 4.4.3 4.4.4 "
       "4.4.5 4.5.1 4.5.2 4.5.3 4.6 5 6.1 7 8 9.1 9.2 9.3.1 9.3.2 9.4.1 9.5.1 9.6.1 9.7.1 9.8 10"},
      {AuthRules::v7,
       "1.1 1.2 1.3 1.4 1.5 2.1 2.2 2.3 2.4 2.5 3 4.1 4.2.1 4.2.2 4.2.3 4.2.4 4.2.5 4.2.6 4.3.1.1 4.3.1.2 "
       "4.3.1.3 4.3.1.4 4.3.1.5 4.3.1.6 4.3.1.7 4.3.1.8 4.3.2 4.3.3 4.3.4 4.3.5 4.4.1 4.4.2 4.4.3 4.4.4 "
       "4.4.5 4.5.1 4.5.2 4.5.3 4.6.1 4.6.2 4.6.3 4.6.4 4.7 5 6.1 7 8 9.1 9.2 9.3.1 9.3.2 9.4.1 9.5.1 9.6.1 "
       "9.7.1 9.8 10"},
      {AuthRules::v8,
       "1.1 1.2 1.3 1.4 1.5 2.1 2.2 2.3 2.4 2.5 3 4.1 4.2.1 4.3.1 4.3.2 4.3.3 4.3.4 4.3.5.1 4.3.5.2 4.3.5.3 "
       "4.3.6 4.3.7 4.4.1.1 4.4.1.2 4.4.1.3 4.4.1.4 4.4.1.5 4.4.1.6 4.4.1.7 4.4.1.8 4.4.2 4.4.3 4.4.4 4.4.5 "
       "4.5.1 4.5.2 4.5.3 4.5.4 4.5.5 4.6.1 4.6.2 4.6.3 4.7.1 4.7.2 4.7.3 4.7.4 4.8 5 6.1 7 8 9.1 9.2 9.3.1 "
       "9.3.2 9.4.1 9.5.1 9.6.1 9.7.1 9.8 10"},
      {AuthRules::v10,
       "1.1 1.2 1.3 1.4 1.5 2.1 2.2 2.3 2.4 2.5 3 4.1 4.2.1 4.3.1 4.3.2 4.3.3 4.3.4 4.3.5.1 4.3.5.2 4.3.5.3 "
       "4.3.6 4.3.7 4.4.1.1 4.4.1.2 4.4.1.3 4.4.1.4 4.4.1.5 4.4.1.6 4.4.1.7 4.4.1.8 4.4.2 4.4.3 4.4.4 4.4.5 "
       "4.5.1 4.5.2 4.5.3 4.5.4 4.5.5 4.6.1 4.6.2 4.6.3 4.7.1 4.7.2 4.7.3 4.7.4 4.8 5 6.1 7 8 9.1 9.2 9.3 "
       "9.4 9.5.1 9.5.2 9.6.1 9.7.1 9.8.1 9.9.1 9.10 10"},
      {AuthRules::v11,
       "1.1 1.2 1.3 1.4 2.1 2.2 2.3 2.4 2.5 3 4.1 4.2.1 4.3.1 4.3.2 4.3.3 4.3.4 4.3.5.1 4.3.5.2 4.3.5.3 "
       "4.3.6 4.3.7 4.4.1.1 4.4.1.2 4.4.1.3 4.4.1.4 4.4.1.5 4.4.1.6 4.4.1.7 4.4.1.8 4.4.2 4.4.3 4.4.4 4.4.5 "
       "4.5.1 4.5.2 4.5.3 4.5.4 4.5.5 4.6.1 4.6.2 4.6.3 4.7.1 4.7.2 4.7.3 4.7.4 4.8 5 6.1 7 8 9.1 9.2 9.3 "
       "9.4 9.5.1 9.5.2 9.6.1 9.7.1 9.8.1 9.9.1 9.10 10"},
      {AuthRules::v12,
       "1.1 1.2 1.3 1.4 1.5 2 3.1 3.2 3.3 3.4 4 5.1 5.2.1 5.3.1 5.3.2 5.3.3 5.3.4 5.3.5.1 5.3.5.2 5.3.5.3 "
       "5.3.6 5.3.7 5.4.1.1 5.4.1.2 5.4.1.3 5.4.1.4 5.4.1.5 5.4.1.6 5.4.1.7 5.4.1.8 5.4.2 5.4.3 5.4.4 5.4.5 "
       "5.5.1 5.5.2 5.5.3 5.5.4 5.5.5 5.6.1 5.6.2 5.6.3 5.7.1 5.7.2 5.7.3 5.7.4 5.8 6 7.1 8 9 10.1 10.2 10.3 "
       "10.4 10.5 10.6.1 10.6.2 10.7.1 10.8.1 10.9.1 10.10.1 10.11 11"},
  };
  std::string numbers;
  for (const AuthRuleEntry& entry : all_auth_rules())
    if (const auto number = number_of(entry.rule, version()); !number.empty())
      numbers += (numbers.empty() ? "" : " ") + std::string(number);
  EXPECT_EQ(numbers, specified.at(version().auth));
}

// spec: server-server-api#auth-events-selection
TEST_P(AuthRulesTest, selection_names_what_an_event_is_judged_by) {
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
            basis + "join_rules/ " + (version().has_restricted_joins ? "member/@mod:a " : ""));
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

  const EventPtr event = make_event(version(), power_levels(R"({"users_default":7})"), {});
  const PowerLevels set(event.get(), create.get());
  EXPECT_EQ(set.user(UserId::trusted(creator)), is_v12() ? PowerLevels::creator_level : 7);
  EXPECT_EQ(set.user(UserId::trusted(member)), 7);
}

// spec: rooms/v1#deprecated-event-content-schemas
TEST_P(AuthRulesTest, levels_are_read_as_the_version_lets_them_be_written) {
  const EventPtr create = make_create(version());
  const auto ban = [&](const std::string& value) {
    const EventPtr event = make_event(version(), power_levels("{\"ban\":" + value + "}"), {});
    return PowerLevels(event.get(), create.get()).ban();
  };
  const bool strings = GetParam() <= 9;
  const bool floats = GetParam() <= 5;
  EXPECT_EQ(ban("7"), 7);
  EXPECT_EQ(ban("\"000100\""), strings ? 100 : 50);
  EXPECT_EQ(ban("\" -100\\n\""), strings ? -100 : 50);
  EXPECT_EQ(ban("\"+100\""), strings ? 100 : 50);
  EXPECT_EQ(ban("\"-99999999999999999999\""), strings ? INT64_MIN : 50);
  EXPECT_EQ(ban("\"1.5\""), 50);
  EXPECT_EQ(ban("\"1e2\""), 50);
  EXPECT_EQ(ban("5.114698E4"), floats ? 51146 : 50);
  EXPECT_EQ(ban("-50.9"), floats ? -50 : 50);
  EXPECT_EQ(ban("1e300"), floats ? INT64_MAX : 50);
  EXPECT_EQ(ban("true"), 50);
}

}  // namespace
}  // namespace causeway::test
