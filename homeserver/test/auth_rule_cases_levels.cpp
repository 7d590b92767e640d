// Cases of the rules on m.room.power_levels.
#include "homeserver/test/support/auth_rule_cases.hpp"

namespace causeway::test {

namespace {

using enum AuthRule;

// The form of values. `proposes`: by a creator, who is above all.
EventText proposes(const std::string& content) {
  return power_levels(content);
}

void add_value_cases(Cases& cases) {
  for (const char* key : {"users_default", "events_default", "state_default", "ban", "redact", "kick", "invite"}) {
    const std::string begin = std::string("{\"") + key + "\":";
    cases.accepts(levels_single_values, begin, proposes(begin + "7}"));
    for (const char* value : {"\"1\"", "null", "true", "{}"})
      cases.refuses(levels_single_values, begin + value, proposes(begin + value + "}"));
    cases.accepts(levels_otherwise, "a string until version 9", proposes(begin + "\" +07 \"}")).until(9);
    cases.accepts(levels_otherwise, "a float until version 5", proposes(begin + "50.57}")).until(5);
    for (const char* value : {"\"1.0\"", "null", "true", "{}", "\"\"", "\" \"", "\"+\"", "\"1 2\"", "\"0x1\""})
      cases.refuses(levels_single_new, "no level at all", proposes(begin + value + "}")).until(9);
  }
  for (const char* key : {"events", "notifications"}) {
    const std::string begin = std::string("{\"") + key + "\":";
    cases.accepts(levels_map_values, begin, proposes(begin + R"({"m.x":1}})"));
    for (const char* value : {"1", "[]", R"({"m.x":"1"})", R"({"m.x":null})"})
      cases.refuses(levels_map_values, begin + value, proposes(begin + value + "}"));
    cases.accepts(levels_otherwise, "a string until version 9", proposes(begin + R"({"m.x":"1"}})")).until(9);
  }
  cases.accepts(levels_users_values, "user IDs and integers", proposes(R"({"users":{"@bob:a":1}})"));
  cases.refuses(levels_users_values, "no object", proposes(R"({"users":[]})"));
  cases.refuses(levels_users_values, "no user ID", proposes(R"({"users":{"bob":1}})"));
  cases.refuses(levels_users_values, "no integer", proposes(R"({"users":{"@bob:a":"one"}})"));
  cases.refuses(levels_users_values, "a string from version 10 on", proposes(R"({"users":{"@bob:a":"1"}})")).from(10);
  cases.accepts(levels_users_values, "a string until version 9", proposes(R"({"users":{"@bob:a":"1"}})")).until(9);
  cases.refuses(levels_users_values, "a float from version 6 on", proposes(R"({"users":{"@bob:a":1.5}})")).from(6);
  cases.accepts(levels_users_values, "a float until version 5", proposes(R"({"users":{"@bob:a":1.5}})")).until(5);
}

void add_creator_cases(Cases& cases) {
  const auto more_creators = [](Trial& trial) {
    trial.state.set(make_create(trial.version, R"({"additional_creators":["@carol:b"]})"));
  };
  cases.accepts(levels_creators, "somebody else", proposes(R"({"users":{"@bob:a":100}})")).with(more_creators);
  cases.refuses(levels_creators, "the creator", proposes(R"({"users":{"@alice:a":100}})")).with(more_creators);
  cases.refuses(levels_creators, "an additional creator", proposes(R"({"users":{"@carol:b":100}})"))
      .with(more_creators);
  cases.accepts(levels_otherwise, "the creator before version 12", proposes(R"({"users":{"@alice:a":100}})")).until(11);
  const EventText highest = power_levels(R"({"ban":9007199254740991})", other_member);
  cases.accepts(levels_otherwise, "additional creators are above all", highest).with(more_creators).from(12);
  cases.refuses(required_level, "they are nobody before version 12", highest).with(more_creators).until(11);
  cases.refuses(leave_otherwise, "nobody is above them", member_event(other_member, creator, "leave"))
      .with(more_creators)
      .from(12);
}

void add_first_cases(Cases& cases) {
  const auto none = [](Trial& trial) { trial.state.erase("m.room.power_levels", ""); };
  cases.accepts(levels_first, "any levels", proposes(R"({"ban":1000})")).with(none);
  cases.accepts(levels_first, "what can't be read, until version 9", proposes(R"({"ban":null})")).with(none).until(9);
  cases.leaves_to(levels_first, levels_users_values, "malformed", proposes(R"({"users":[]})")).with(none);
}

const std::string users = R"("@mod:a":50,"@bob:a":49,"@peer:a":50,"@boss:a":90)";
const std::string singles = R"("ban":60,"kick":50,)";
const std::string events = R"("events":{"m.room.power_levels":0,"m.low":50,"m.high":51})";
const std::string notifications = R"(,"notifications":{"room":51})";
const std::string rest = singles + events + notifications;

// In force when the moderator, who has 50, proposes something that differs by what the case names.
std::vector<EventText> in_force() {
  return {power_levels("{\"users\":{" + users + "}," + rest + "}")};
}
EventText proposal(const std::string& proposed_users, const std::string& proposed_rest) {
  return power_levels("{\"users\":{" + proposed_users + "}," + proposed_rest + "}", moderator);
}

void add_single_cases(Cases& cases) {
  const auto singly = [](const std::string& levels) { return proposal(users, levels + events + notifications); };
  cases.accepts(levels_otherwise, "no change", proposal(users, rest), in_force());
  cases.accepts(levels_otherwise, "the same in other words", singly(R"("ban":" 060","kick":"50",)"), in_force())
      .until(9);
  cases.accepts(levels_single_current, "lowered", singly(R"("ban":60,"kick":0,)"), in_force());
  cases.accepts(levels_single_current, "removed", singly(R"("ban":60,)"), in_force());
  cases.refuses(levels_single_current, "a higher one lowered", singly(R"("ban":50,"kick":50,)"), in_force());
  cases.refuses(levels_single_current, "a higher one removed", singly(R"("kick":50,)"), in_force());
  cases.accepts(levels_single_new, "added", singly(singles + R"("redact":50,)"), in_force());
  cases.refuses(levels_single_new, "raised above", singly(R"("ban":60,"kick":51,)"), in_force());
  cases.refuses(levels_single_new, "added above", singly(singles + R"("redact":51,)"), in_force());
  cases.refuses(levels_single_new, "a float above", singly(singles + R"("redact":51.0,)"), in_force()).until(5);
  cases.accepts(levels_single_new, "a float that is cut down", singly(singles + R"("redact":50.9,)"), in_force())
      .until(5);
  cases
      .refuses(levels_single_new, "a number beyond 64 bits", singly(singles + R"("redact":"99999999999999999999",)"),
               in_force())
      .until(9);
  cases.leaves_to(levels_otherwise, levels_single_new, "a change that is too much", singly(singles + R"("redact":51,)"),
                  in_force());
}

void add_map_cases(Cases& cases) {
  const auto with_events = [](const std::string& levels) {
    return proposal(users, singles + R"("events":{"m.room.power_levels":0)" + levels + "}" + notifications);
  };
  const auto with_notifications = [](const std::string& levels) { return proposal(users, singles + events + levels); };
  cases.accepts(levels_map_current, "lowered", with_events(R"(,"m.low":0,"m.high":51)"), in_force());
  cases.accepts(levels_map_current, "removed", with_events(R"(,"m.high":51)"), in_force());
  cases.refuses(levels_map_current, "a higher one lowered", with_events(R"(,"m.low":50,"m.high":50)"), in_force());
  cases.refuses(levels_map_current, "a higher one removed", with_events(R"(,"m.low":50)"), in_force());
  cases.refuses(levels_map_current, "a higher notification from version 6 on", with_notifications(""), in_force())
      .from(6);
  cases.accepts(levels_otherwise, "notifications are free until version 5", with_notifications(""), in_force())
      .until(5);
  cases.accepts(levels_map_new, "added", with_events(R"(,"m.low":50,"m.high":51,"m.new":50)"), in_force());
  cases.refuses(levels_map_new, "raised above", with_events(R"(,"m.low":51,"m.high":51)"), in_force());
  cases.refuses(levels_map_new, "added above", with_events(R"(,"m.low":50,"m.high":51,"m.new":51)"), in_force());
  cases
      .refuses(levels_map_new, "a notification above from version 6 on",
               with_notifications(R"(,"notifications":{"room":51,"x":51})"), in_force())
      .from(6);
}

void add_user_cases(Cases& cases) {
  const auto with_users = [](const std::string& levels) { return proposal(levels, rest); };
  cases.accepts(levels_users_current, "a weaker user removed", with_users(R"("@mod:a":50,"@peer:a":50,"@boss:a":90)"),
                in_force());
  cases.accepts(levels_users_current, "the own level lowered",
                with_users(R"("@mod:a":1,"@bob:a":49,"@peer:a":50,"@boss:a":90)"), in_force());
  cases.accepts(levels_users_current, "the own level removed", with_users(R"("@bob:a":49,"@peer:a":50,"@boss:a":90)"),
                in_force());
  cases.refuses(levels_users_current, "an equal lowered",
                with_users(R"("@mod:a":50,"@bob:a":49,"@peer:a":0,"@boss:a":90)"), in_force());
  cases.refuses(levels_users_current, "a stronger user removed", with_users(R"("@mod:a":50,"@bob:a":49,"@peer:a":50)"),
                in_force());
  cases.accepts(levels_users_new, "a weaker user raised",
                with_users(R"("@mod:a":50,"@bob:a":50,"@peer:a":50,"@boss:a":90)"), in_force());
  cases.refuses(levels_users_new, "the own level raised",
                with_users(R"("@mod:a":51,"@bob:a":49,"@peer:a":50,"@boss:a":90)"), in_force());
  cases.refuses(levels_users_new, "a user raised above",
                with_users(R"("@mod:a":50,"@bob:a":51,"@peer:a":50,"@boss:a":90)"), in_force());
  cases.refuses(levels_users_new, "a user added above", with_users(users + R"(,"@new:a":51)"), in_force());
}

}  // namespace

void add_levels_cases(Cases& cases) {
  add_value_cases(cases);
  add_creator_cases(cases);
  add_first_cases(cases);
  add_single_cases(cases);
  add_map_cases(cases);
  add_user_cases(cases);
}

}  // namespace causeway::test
