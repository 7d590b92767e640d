// Every authorisation rule as a table: events it lets through and events it refuses, in every room version.
#pragma once

#include <functional>

#include "homeserver/test/support/room_kit.hpp"

namespace causeway::test {

inline const std::string creator = "@alice:a";
inline const std::string moderator = "@mod:a";  // level 50
inline const std::string member = "@bob:a";     // level 0
inline const std::string other_member = "@carol:b";
inline const std::string banned = "@eve:b";
inline const std::string invited = "@ivy:b";
inline const std::string knocked = "@ken:b";  // in no room before version 7
inline const std::string stranger = "@sam:b";

inline std::string membership(const std::string& value) {
  return R"({"membership":")" + value + R"("})";
}
inline EventText member_event(const std::string& user, const std::string& sender, const std::string& value) {
  return {"m.room.member", user, sender, membership(value)};
}
inline EventText join_rules(const std::string& rule) {
  return {"m.room.join_rules", "", creator, R"({"join_rule":")" + rule + R"("})"};
}
inline EventText power_levels(const std::string& content, const std::string& sender = creator) {
  return {"m.room.power_levels", "", sender, content};
}
inline EventText message_of(const std::string& sender) {
  return {"m.room.message", std::nullopt, sender};
}

// The room most cases start from: the users above; invite level 10, m.topic 60, join rule `invite`.
FakeState room_state(const RoomVersion& version);

// An event on its way to be judged.
struct Trial {
  const RoomVersion& version;
  EventText event;
  EventPlace place;
  FakeState state;
  std::optional<std::vector<AuthEventEntry>> auth_events = {};  // set: this list is judged, not the event by the state

  void set(const EventText& text);  // into the state
};

struct Case {
  AuthRule about;
  bool allowed;
  std::optional<AuthRule> decided_by;  // none: whichever
  std::string guarantee;
  EventText event;
  std::vector<EventText> state;                   // replaces what the room has
  std::function<void(Trial&)> arrange = nullptr;  // what else is different
  int first = 1, last = 12;                       // room versions

  Case& from(int version) {
    first = version;
    return *this;
  }
  Case& until(int version) {
    last = version;
    return *this;
  }
  Case& with(std::function<void(Trial&)> change) {
    arrange = std::move(change);
    return *this;
  }
};

// Collects cases about one rule.
class Cases {
 public:
  // What the rule lets through; if it is one that allows, it is the one that settles it.
  Case& accepts(AuthRule about, std::string guarantee, EventText event = {}, std::vector<EventText> state = {});
  // What the rule refuses.
  Case& refuses(AuthRule about, std::string guarantee, EventText event = {}, std::vector<EventText> state = {});
  // What the rule, one that allows, does not hold for, so that another refuses it.
  Case& leaves_to(AuthRule about, AuthRule refuser, std::string guarantee, EventText event = {},
                  std::vector<EventText> state = {});
  const std::deque<Case>& all() const { return all_; }

 private:
  std::deque<Case> all_;
};

RuleEffect effect_of(AuthRule rule);

void add_room_cases(Cases& cases);    // m.room.create, auth_events, m.room.aliases, redactions, all events
void add_member_cases(Cases& cases);  // m.room.member
void add_invite_cases(Cases& cases);  // m.room.member: invites
void add_levels_cases(Cases& cases);  // m.room.power_levels

}  // namespace causeway::test
