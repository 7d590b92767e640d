// Cases of the rules on m.room.member but invites.
#include "homeserver/test/support/auth_rule_cases.hpp"

namespace causeway::test {

namespace {

using enum AuthRule;

EventText join_via(const std::string& user, const std::string& via) {
  return {"m.room.member", user, user, R"({"membership":"join","join_authorised_via_users_server":")" + via + R"("})"};
}

EventText joins(const std::string& user) {
  return member_event(user, user, "join");
}
EventText knocks(const std::string& user) {
  return member_event(user, user, "knock");
}

// Nothing but the create event is there, and the event names this as what came before.
auto at_the_start(std::vector<std::string> prev_events, std::string create = "{}") {
  return [=](Trial& trial) {
    trial.state = FakeState();
    trial.state.set(make_create(trial.version, create));
    trial.place.prev_events = prev_events;
  };
}

void add_form_cases(Cases& cases) {
  cases.accepts(member_form, "complete", joins(member));
  cases.refuses(member_form, "no state_key", {"m.room.member", std::nullopt, member, membership("join")});
  cases.refuses(member_form, "no membership", {"m.room.member", member, member, "{}"});
  cases.refuses(member_form, "membership of another type", {"m.room.member", member, member, R"({"membership":1})"});
  cases.accepts(member_authoriser_signature, "a user ID", join_via(member, moderator));
  cases.refuses(member_authoriser_signature, "something else", join_via(member, "a"));
  cases.accepts(join_invited, "no matter before version 8", join_via(member, "a")).until(7);
  cases.accepts(membership_unknown, "known", joins(member));
  cases.refuses(membership_unknown, "unknown", member_event(member, member, "lurk"));
  cases.refuses(membership_unknown, "knocks before version 7", knocks(stranger), {join_rules("knock")}).until(6);
}

void add_first_join_cases(Cases& cases) {
  cases.accepts(join_creator, "the creator joins first", joins(creator)).with(at_the_start({"$create"}));
  cases.leaves_to(join_creator, join_otherwise, "but not later", joins(creator)).with(at_the_start({"$create", "$x"}));
  cases.leaves_to(join_creator, join_otherwise, "nor anybody else", joins(member)).with(at_the_start({"$create"}));
  const char* others = R"({"creator":"@bob:a","additional_creators":["@bob:a"]})";
  cases.accepts(join_creator, "content.creator until version 10", joins(member))
      .with(at_the_start({"$create"}, others))
      .until(10);
  cases.leaves_to(join_creator, join_otherwise, "not the sender", joins(creator))
      .with(at_the_start({"$create"}, others))
      .until(10);
  cases.accepts(join_creator, "the sender from version 11 on", joins(creator))
      .with(at_the_start({"$create"}, others))
      .from(11);
  cases.leaves_to(join_creator, join_otherwise, "not content.creator", joins(member))
      .with(at_the_start({"$create"}, others))
      .from(11);
}

void add_join_cases(Cases& cases) {
  const std::vector<EventText> knock = {join_rules("knock")};
  const std::vector<EventText> open = {join_rules("public")};
  cases.accepts(join_sender, "for oneself", joins(member));
  cases.refuses(join_sender, "for another", member_event(stranger, member, "join"));
  cases.accepts(join_banned, "not banned", joins(stranger), open);
  cases.refuses(join_banned, "banned", joins(banned), open);
  cases.accepts(join_invited, "invited users", joins(invited));
  cases.accepts(join_invited, "members again", joins(member));
  cases.leaves_to(join_invited, join_otherwise, "strangers", joins(stranger));
  cases.accepts(join_invited, "invited where one may knock", joins(invited), knock).from(7);
  cases.leaves_to(join_invited, join_otherwise, "a knock is no invite", joins(knocked), knock).from(7);
  cases.leaves_to(join_invited, join_otherwise, "no knocking before version 7", joins(invited), knock).until(6);
  const auto no_rule = [](Trial& trial) { trial.state.erase("m.room.join_rules", ""); };
  cases.accepts(join_invited, "invited where there is no join rule", joins(invited)).with(no_rule);
  cases.leaves_to(join_invited, join_otherwise, "strangers where there is no join rule", joins(stranger)).with(no_rule);
  cases.accepts(join_public, "strangers", joins(stranger), open);
  cases.leaves_to(join_public, join_otherwise, "another rule", joins(stranger));
  cases.accepts(join_otherwise, "a rule that lets in", joins(invited));
  cases.refuses(join_otherwise, "a rule that nobody knows", joins(invited), {join_rules("private")});
  cases.refuses(join_otherwise, "restricted before version 8", joins(invited), {join_rules("restricted")}).until(7);
  cases.refuses(join_otherwise, "knock_restricted before version 10", joins(invited), {join_rules("knock_restricted")})
      .until(9);
}

void add_restricted_join_cases(Cases& cases, const char* rule, int first) {
  const std::vector<EventText> rules = {join_rules(rule)};
  cases.accepts(join_restricted_member, "members stay", joins(member), rules).from(first);
  cases.accepts(join_restricted_member, "invited users", joins(invited), rules).from(first);
  cases.leaves_to(join_restricted_member, join_restricted_authoriser, "strangers", joins(stranger), rules).from(first);
  cases.accepts(join_restricted_authoriser, "by a moderator", join_via(stranger, moderator), rules).from(first);
  cases.refuses(join_restricted_authoriser, "by nobody", joins(stranger), rules).from(first);
  cases.refuses(join_restricted_authoriser, "by one who may not invite", join_via(stranger, member), rules).from(first);
  cases.refuses(join_restricted_authoriser, "by one who is not there", join_via(stranger, invited), rules).from(first);
  cases.accepts(join_restricted_otherwise, "by a creator", join_via(stranger, creator), rules).from(first);
  cases
      .leaves_to(join_restricted_otherwise, join_restricted_authoriser, "by a member", join_via(stranger, member),
                 rules)
      .from(first);
}

void add_leave_cases(Cases& cases) {
  const auto leaves = [](const std::string& user) { return member_event(user, user, "leave"); };
  const auto kicks = [](const std::string& sender, const std::string& user) {
    return member_event(user, sender, "leave");
  };
  cases.accepts(leave_own, "members", leaves(member));
  cases.accepts(leave_own, "an invite is declined", leaves(invited));
  cases.accepts(leave_own, "a knock is withdrawn", leaves(knocked)).from(7);
  cases.refuses(leave_own, "a ban can't be left", leaves(banned));
  cases.refuses(leave_own, "strangers have nothing to leave", leaves(stranger));
  cases.accepts(leave_sender, "from inside", kicks(moderator, member));
  cases.refuses(leave_sender, "from outside", kicks(invited, member));
  cases.accepts(leave_unban, "with the ban level", kicks(moderator, banned));
  cases.refuses(leave_unban, "without", kicks(moderator, banned),
                {power_levels(R"({"users":{"@mod:a":50},"ban":51})")});
  cases.accepts(leave_kick, "a moderator kicks", kicks(moderator, member));
  cases.leaves_to(leave_kick, leave_otherwise, "a member does not", kicks(member, other_member));
  cases.accepts(leave_otherwise, "a weaker user", kicks(moderator, other_member));
  cases.refuses(leave_otherwise, "a stronger user", kicks(moderator, creator));
  cases.refuses(leave_otherwise, "an equal", kicks(moderator, member),
                {power_levels(R"({"users":{"@mod:a":50,"@bob:a":50}})")});
  cases.refuses(leave_otherwise, "an unban without the kick level", kicks(moderator, banned),
                {power_levels(R"({"users":{"@mod:a":50},"ban":50,"kick":51})")});
}

void add_ban_cases(Cases& cases) {
  const auto bans = [](const std::string& sender, const std::string& user) {
    return member_event(user, sender, "ban");
  };
  cases.accepts(ban_sender, "from inside", bans(moderator, member));
  cases.refuses(ban_sender, "from outside", bans(invited, member));
  cases.accepts(ban_level, "a moderator bans", bans(moderator, member));
  cases.accepts(ban_level, "a stranger", bans(moderator, stranger));
  cases.leaves_to(ban_level, ban_otherwise, "a member does not", bans(member, other_member));
  cases.accepts(ban_otherwise, "a weaker user", bans(moderator, member));
  cases.refuses(ban_otherwise, "a stronger user", bans(moderator, creator));
}

void add_knock_cases(Cases& cases, const char* rule, int first) {
  const std::vector<EventText> rules = {join_rules(rule)};
  cases.accepts(knock_join_rule, "where one may", knocks(stranger), rules).from(first);
  cases.accepts(knock_sender, "for oneself", knocks(stranger), rules).from(first);
  cases.refuses(knock_sender, "for another", member_event(stranger, member, "knock"), rules).from(first);
  cases.accepts(knock_membership, "a stranger", knocks(stranger), rules).from(first);
  cases.accepts(knock_membership, "again", knocks(knocked), rules).from(first);
  cases.leaves_to(knock_membership, knock_otherwise, "banned", knocks(banned), rules).from(first);
  cases.accepts(knock_otherwise, "outside", knocks(stranger), rules).from(first);
  cases.refuses(knock_otherwise, "invited", knocks(invited), rules).from(first);
  cases.refuses(knock_otherwise, "in the room", knocks(member), rules).from(first);
}

}  // namespace

void add_member_cases(Cases& cases) {
  add_form_cases(cases);
  add_first_join_cases(cases);
  add_join_cases(cases);
  add_restricted_join_cases(cases, "restricted", 8);
  add_restricted_join_cases(cases, "knock_restricted", 10);
  add_leave_cases(cases);
  add_ban_cases(cases);
  add_knock_cases(cases, "knock", 7);
  add_knock_cases(cases, "knock_restricted", 10);
  cases.refuses(knock_join_rule, "by another rule", knocks(stranger), {join_rules("restricted")});
  cases
      .refuses(knock_join_rule, "knock_restricted before version 10", knocks(stranger),
               {join_rules("knock_restricted")})
      .until(9);
}

}  // namespace causeway::test
