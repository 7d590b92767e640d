// The authorisation rules as pure functions: an event and the state it is judged by go in, the rule that refuses it
// comes out.
//
// spec: server-server-api#authorisation-rules, and each room version's page
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "homeserver/events/state_map.hpp"
#include "homeserver/rooms/auth/auth_rule.hpp"
#include "schema/events/event.hpp"

namespace causeway {

// The state an event is judged by. For room version 12 `m.room.create` is found here too although it is never among the
// auth_events.
class AuthState {
 public:
  virtual ~AuthState() = default;
  // nullptr when the key is not set. The pointer is valid during the check.
  virtual const Event* find(std::string_view type, std::string_view state_key) const = 0;
};

// Which rule settled it; of a refusal, a sentence why.
struct AuthDecision {
  AuthRule rule;
  bool allowed;
  std::string reason;
};

// Why an event is refused.
struct Refusal {
  AuthRule rule;
  std::string reason;
};
using AuthVerdict = std::optional<Refusal>;  // nothing: allowed

// Every rule but those on the list `auth_events` itself.
AuthDecision decide_auth(const Event& event, const AuthState& state);
AuthVerdict check_auth(const Event& event, const AuthState& state);

// The rules on the list `auth_events`: duplicates, entries that don't belong, rejected ones, create missing, other
// rooms. Rule 2, in version 12 rule 3.
struct AuthEventEntry {
  EventPtr event;
  bool rejected = false;
};
AuthVerdict check_auth_events(const Event& event, std::span<const AuthEventEntry> auth_events);

// Which keys of the state an event's auth_events are taken from. spec: server-server-api#auth-events-selection
std::vector<StateKey> auth_event_keys(const RoomVersion& version, std::string_view type,
                                      const std::optional<std::string>& state_key, const UserId& sender,
                                      const boost::json::object& content);

// The levels of a room, defaults filled in. spec: client-server-api#mroompower_levels
class PowerLevels {
 public:
  static constexpr std::int64_t creator_level = INT64_MAX;  // "infinite", room version 12 on

  // Either may be nullptr: no power_levels event yet, or (v10, v11) no create event at hand.
  PowerLevels(const Event* power_levels, const Event* create);

  std::int64_t user(const UserId& user) const { return this->user(user.str()); }
  std::int64_t user(std::string_view user) const;  // whatever a state_key says
  std::int64_t required_for(std::string_view type, bool is_state) const;
  std::int64_t invite() const;
  std::int64_t kick() const;
  std::int64_t ban() const;
  std::int64_t redact() const;

 private:
  std::optional<std::int64_t> read(const boost::json::object& levels, std::string_view key) const;
  std::int64_t level(std::string_view key, std::int64_t otherwise) const;
  std::optional<std::int64_t> entry(std::string_view map, std::string_view key) const;
  const Event* power_levels_;
  const Event* create_;
};

// Room version 12: sender of the create event and content.additional_creators. Before: the creator alone.
bool is_room_creator(const Event& create, const UserId& user);

}  // namespace causeway
