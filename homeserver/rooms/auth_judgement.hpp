// What the parts of the authorisation rules share. Internal to auth_rules*.cpp.
#pragma once

#include <string>
#include <string_view>

#include "homeserver/rooms/auth_rules.hpp"

namespace causeway::auth {

inline const AuthVerdict allowed = std::nullopt;

// A rule's number in room versions 10 and 11, which share theirs, and in version 12, which put one rule before the
// third.
struct RuleNumber {
  std::string_view v10;
  std::string_view v12;
};

AuthVerdict refuse(const RoomVersion& version, RuleNumber rule, std::string reason);

// An event before its judge, with what most rules look at.
class Judgement {
 public:
  // `create` is the room's, found in the state.
  Judgement(const Event& event, const AuthState& state, const Event& create);

  const Event& event() const { return event_; }
  const AuthState& state() const { return state_; }
  const Event& create() const { return create_; }
  const Event* power_levels_event() const { return power_levels_event_; }
  const PowerLevels& levels() const { return levels_; }
  std::int64_t sender_level() const { return levels_.user(event_.sender()); }

  // "leave" for a user without a member event: no rule tells the two apart.
  std::string_view membership_of(std::string_view user) const;
  std::string_view sender_membership() const { return membership_of(event_.sender().str()); }
  // "invite" when the room does not say. spec: client-server-api#mroomjoin_rules
  std::string_view join_rule() const;

  AuthVerdict refuse(RuleNumber rule, std::string reason) const;

 private:
  const Event& event_;
  const AuthState& state_;
  const Event& create_;
  const Event* power_levels_event_;
  PowerLevels levels_;
};

// Rule 4 (v10, v11), 5 (v12).
AuthVerdict check_member(const Judgement& judgement);
// Rule 9 (v10, v11), 10 (v12).
AuthVerdict check_power_levels(const Judgement& judgement);

}  // namespace causeway::auth
