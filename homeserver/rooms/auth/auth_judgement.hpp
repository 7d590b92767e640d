// What the parts of the authorisation rules share. Internal to auth_rules*.cpp.
#pragma once

#include <string>
#include <string_view>

#include "homeserver/rooms/auth/auth_rules.hpp"
#include "homeserver/rooms/auth/power_level_value.hpp"
#include "schema/json/json.hpp"

namespace causeway::auth {

inline AuthDecision allow(AuthRule rule) {
  return {rule, true, {}};
}
inline AuthDecision refuse(AuthRule rule, std::string reason) {
  return {rule, false, std::move(reason)};
}

// What a group of rules comes to; nothing: the next rule is to be asked.
using Settled = std::optional<AuthDecision>;

// An event before its judge, with what most rules look at.
class Judgement {
 public:
  // `create` is the room's, found in the state.
  Judgement(const Event& event, const AuthState& state, const Event& create);

  const Event& event() const { return event_; }
  const RoomVersion& version() const { return event_.version(); }
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

 private:
  const Event& event_;
  const AuthState& state_;
  const Event& create_;
  const Event* power_levels_event_;
  PowerLevels levels_;
};

AuthDecision check_member(const Judgement& judgement);
AuthDecision check_power_levels(const Judgement& judgement);

}  // namespace causeway::auth
