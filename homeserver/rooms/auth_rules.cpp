#include "homeserver/rooms/auth_rules.hpp"

#include "homeserver/rooms/auth_judgement.hpp"
#include "schema/json/json.hpp"

namespace causeway {

namespace auth {

AuthVerdict refuse(const RoomVersion& version, RuleNumber rule, std::string reason) {
  return Refusal{version.auth >= AuthRules::v12 ? rule.v12 : rule.v10, std::move(reason)};
}

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

AuthVerdict Judgement::refuse(RuleNumber rule, std::string reason) const {
  return auth::refuse(event_.version(), rule, std::move(reason));
}

namespace {

// Rule 1.4 of v12: an array of valid user IDs.
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

AuthVerdict check_create(const Event& event) {
  const RoomVersion& version = event.version();
  const json::object& content = event.content();
  if (!event.prev_events().empty()) return refuse(version, {"1.1", "1.1"}, "m.room.create has prev_events");
  if (version.room_id_is_create_hash) {
    if (carries_room_id(event)) return refuse(version, {"1.2", "1.2"}, "m.room.create has a room_id");
  } else if (event.room_id().server() != event.sender().server()) {
    return refuse(version, {"1.2", "1.2"}, "the domain of room_id is not the sender's");
  }
  const json::value* room_version = content.if_contains("room_version");
  if (room_version && !names_known_version(*room_version))
    return refuse(version, {"1.3", "1.3"}, "room_version is not a recognised version");
  if (version.creator_in_content && !content.contains("creator"))
    return refuse(version, {"1.4", "1.4"}, "m.room.create has no creator");
  const json::value* additional = content.if_contains("additional_creators");
  if (version.creators_are_privileged && additional && !names_valid_users(*additional))
    return refuse(version, {"1.4", "1.4"}, "additional_creators is not an array of user IDs");
  return allowed;  // rule 1.5 (v11: 1.4)
}

// The room ID of v12 is the ID of its create event with another sigil.
bool is_room_of(const Event& create, const RoomId& room) {
  return !room.empty() && !create.id().empty() &&
         std::string_view(room.str()).substr(1) == std::string_view(create.id().str()).substr(1);
}

AuthVerdict check_create_of_room(const Event& event, const Event* create) {
  const RoomVersion& version = event.version();
  if (version.room_id_is_create_hash) {
    if (!create || !is_room_of(*create, event.room_id()))
      return refuse(version, {"2", "2"}, "room_id does not name an accepted m.room.create event");
  } else if (!create) {
    return refuse(version, {"2.4", "2.4"}, "the room has no m.room.create event");
  }
  const bool federates = json::find_bool(create->content(), "m.federate").value_or(true);
  if (!federates && event.sender().server() != create->sender().server())
    return refuse(version, {"3", "4"}, "the room does not federate and the sender is of another server");
  return allowed;
}

bool is_others_state_key(const Event& event) {
  return event.state_key() && event.state_key()->starts_with('@') && *event.state_key() != event.sender().str();
}

// From rule 5 (v12: 6) on.
AuthVerdict check_other(const Judgement& judgement) {
  const Event& event = judgement.event();
  if (judgement.sender_membership() != "join")
    return judgement.refuse({"5", "6"}, "the sender " + event.sender().str() + " is not in the room");
  if (event.is("m.room.third_party_invite")) {
    if (judgement.sender_level() >= judgement.levels().invite()) return allowed;
    return judgement.refuse({"6.1", "7.1"}, "the sender may not invite");
  }
  if (judgement.levels().required_for(event.type(), event.is_state()) > judgement.sender_level())
    return judgement.refuse({"7", "8"}, "the sender's power level is too low to send " + event.type());
  if (is_others_state_key(event)) return judgement.refuse({"8", "9"}, "the state_key is another user's ID");
  if (event.is("m.room.power_levels")) return check_power_levels(judgement);
  return allowed;  // rule 10 (v12: 11)
}

}  // namespace
}  // namespace auth

AuthVerdict check_auth(const Event& event, const AuthState& state) {
  if (event.is("m.room.create")) return auth::check_create(event);
  const Event* create = state.find("m.room.create", "");
  if (auto refusal = auth::check_create_of_room(event, create)) return refusal;
  const auth::Judgement judgement(event, state, *create);
  return event.is("m.room.member") ? auth::check_member(judgement) : auth::check_other(judgement);
}

}  // namespace causeway
