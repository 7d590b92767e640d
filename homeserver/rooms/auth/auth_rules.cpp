#include "homeserver/rooms/auth/auth_rules.hpp"

#include "homeserver/rooms/auth/auth_judgement.hpp"
#include "schema/json/json.hpp"

namespace causeway {

namespace auth {

Judgement::Judgement(const Event& event, const AuthState& state, const Event& create)
    : event_(event),
      state_(state),
      create_(create),
      power_levels_event_(state.find("m.room.power_levels", "")),
      levels_(power_levels_event_, &create) {}

std::string_view Judgement::membership_of(std::string_view user) const {
  const Event* member = state_.find("m.room.member", user);
  return member ? member->membership().value_or("leave") : "leave";
}

std::string_view Judgement::join_rule() const {
  const Event* rules = state_.find("m.room.join_rules", "");
  return rules ? json::find_string(rules->content(), "join_rule").value_or("invite") : "invite";
}

namespace {

// An array of valid user IDs.
bool names_valid_users(const json::value& users) {
  if (!users.is_array()) return false;
  return std::ranges::all_of(users.get_array(), [](const json::value& user) {
    return user.is_string() && UserId::parse(std::string_view(user.get_string())).has_value();
  });
}

bool names_known_version(const json::value& version) {
  return version.is_string() && find_room_version(std::string_view(version.get_string())) != nullptr;
}

// The event's bytes decide: Event::room_id() is never empty, it is derived where it is absent.
bool carries_room_id(const Event& event) {
  const auto parsed = json::parse_object(event.json());
  return parsed.has_error() || parsed->contains("room_id");
}

AuthDecision check_create(const Event& event) {
  const RoomVersion& version = event.version();
  const json::object& content = event.content();
  if (!event.prev_events().empty()) return refuse(AuthRule::create_prev_events, "m.room.create has prev_events");
  if (version.room_id_is_create_hash) {
    if (carries_room_id(event)) return refuse(AuthRule::create_room_id, "m.room.create has a room_id");
  } else if (event.room_id().server() != event.sender().server()) {
    return refuse(AuthRule::create_domain, "the domain of room_id is not the sender's");
  }
  const json::value* room_version = content.if_contains("room_version");
  if (room_version && !names_known_version(*room_version))
    return refuse(AuthRule::create_version, "room_version is not a recognised version");
  if (version.creator_in_content && !content.contains("creator"))
    return refuse(AuthRule::create_creator, "m.room.create has no creator");
  const json::value* additional = content.if_contains("additional_creators");
  if (version.creators_are_privileged && additional && !names_valid_users(*additional))
    return refuse(AuthRule::create_additional_creators, "additional_creators is not an array of user IDs");
  return allow(AuthRule::create_otherwise);
}

// The room ID of v12 is the ID of its create event with another sigil.
bool is_room_of(const Event& create, const RoomId& room) {
  return !room.empty() && !create.id().empty() &&
         std::string_view(room.str()).substr(1) == std::string_view(create.id().str()).substr(1);
}

Settled check_create_of_room(const Event& event, const Event* create) {
  if (event.version().room_id_is_create_hash) {
    if (!create || !is_room_of(*create, event.room_id()))
      return refuse(AuthRule::room_id, "room_id does not name an accepted m.room.create event");
  } else if (!create) {
    return refuse(AuthRule::auth_events_create, "the room has no m.room.create event");
  }
  const bool federates = json::find_bool(create->content(), "m.federate").value_or(true);
  if (!federates && event.sender().server() != create->sender().server())
    return refuse(AuthRule::federate, "the room does not federate and the sender is of another server");
  return std::nullopt;
}

AuthDecision check_aliases(const Event& event) {
  if (!event.state_key()) return refuse(AuthRule::aliases_state_key, "m.room.aliases has no state_key");
  if (event.sender().server() != *event.state_key())
    return refuse(AuthRule::aliases_domain, "the state_key of m.room.aliases is not the sender's server");
  return allow(AuthRule::aliases_otherwise);
}

bool is_others_state_key(const Event& event) {
  return event.state_key() && event.state_key()->starts_with('@') && *event.state_key() != event.sender().str();
}

// Room versions 1 and 2. Later ones judge it when the redaction is applied.
AuthDecision check_redaction(const Judgement& judgement) {
  const Event& event = judgement.event();
  if (judgement.sender_level() >= judgement.levels().redact()) return allow(AuthRule::redaction_level);
  if (event.redacts() && event.redacts()->server() == event.id().server()) return allow(AuthRule::redaction_domain);
  return refuse(AuthRule::redaction_otherwise, "the sender may not redact events of other servers");
}

// What comes after the rules on m.room.member.
AuthDecision check_other(const Judgement& judgement) {
  const Event& event = judgement.event();
  if (judgement.sender_membership() != "join")
    return refuse(AuthRule::sender_joined, "the sender " + event.sender().str() + " is not in the room");
  if (event.is("m.room.third_party_invite")) {
    if (judgement.sender_level() >= judgement.levels().invite()) return allow(AuthRule::third_party_invite_level);
    return refuse(AuthRule::third_party_invite_level, "the sender may not invite");
  }
  if (judgement.levels().required_for(event.type(), event.is_state()) > judgement.sender_level())
    return refuse(AuthRule::required_level, "the sender's power level is too low to send " + event.type());
  if (is_others_state_key(event)) return refuse(AuthRule::own_state_key, "the state_key is another user's ID");
  if (event.is("m.room.power_levels")) return check_power_levels(judgement);
  if (event.is("m.room.redaction") && judgement.version().redactions_are_authorised) return check_redaction(judgement);
  return allow(AuthRule::otherwise);
}

}  // namespace
}  // namespace auth

AuthDecision decide_auth(const Event& event, const AuthState& state) {
  if (event.is("m.room.create")) return auth::check_create(event);
  const Event* create = state.find("m.room.create", "");
  if (auto refused = auth::check_create_of_room(event, create)) return std::move(*refused);
  if (event.is("m.room.aliases") && event.version().aliases_are_authorised) return auth::check_aliases(event);
  const auth::Judgement judgement(event, state, *create);
  return event.is("m.room.member") ? auth::check_member(judgement) : auth::check_other(judgement);
}

AuthVerdict check_auth(const Event& event, const AuthState& state) {
  AuthDecision decision = decide_auth(event, state);
  if (decision.allowed) return std::nullopt;
  return Refusal{decision.rule, std::move(decision.reason)};
}

}  // namespace causeway
