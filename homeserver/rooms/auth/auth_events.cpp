// Which events belong among an event's auth_events, and whether those it names are in order.
#include <set>

#include "homeserver/rooms/auth/auth_rules.hpp"
#include "schema/json/json.hpp"

namespace causeway {

namespace {

void add_once(std::vector<StateKey>& keys, std::string_view type, std::string_view state_key) {
  StateKey key{std::string(type), std::string(state_key)};
  if (std::ranges::find(keys, key) == keys.end()) keys.push_back(std::move(key));
}

std::optional<std::string_view> third_party_token(const json::object& content) {
  const json::object* invite = json::find_object(content, "third_party_invite");
  const json::object* signed_object = invite ? json::find_object(*invite, "signed") : nullptr;
  return signed_object ? json::find_string(*signed_object, "token") : std::nullopt;
}

void add_keys_of_member(std::vector<StateKey>& keys, const RoomVersion& version,
                        const std::optional<std::string>& target, const json::object& content) {
  if (target) add_once(keys, "m.room.member", *target);
  const std::string_view membership = json::find_string(content, "membership").value_or("");
  if (membership == "join" || membership == "invite" || membership == "knock") add_once(keys, "m.room.join_rules", "");
  if (membership == "invite")
    if (const auto token = third_party_token(content)) add_once(keys, "m.room.third_party_invite", *token);
  if (membership == "join" && version.has_restricted_joins)
    if (const auto user = json::find_string(content, "join_authorised_via_users_server"))
      add_once(keys, "m.room.member", *user);
}

std::string describe(const Event& event) {
  return event.type() + " '" + event.state_key().value_or("") + "'";
}

}  // namespace

std::vector<StateKey> auth_event_keys(const RoomVersion& version, std::string_view type,
                                      const std::optional<std::string>& state_key, const UserId& sender,
                                      const boost::json::object& content) {
  std::vector<StateKey> keys;
  if (type == "m.room.create") return keys;
  if (!version.room_id_is_create_hash) add_once(keys, "m.room.create", "");
  add_once(keys, "m.room.power_levels", "");
  add_once(keys, "m.room.member", sender.str());
  if (type == "m.room.member") add_keys_of_member(keys, version, state_key, content);
  return keys;
}

AuthVerdict check_auth_events(const Event& event, std::span<const AuthEventEntry> auth_events) {
  if (event.is("m.room.create")) return std::nullopt;  // rule 1 has settled it
  const RoomVersion& version = event.version();
  const auto wanted = auth_event_keys(version, event.type(), event.state_key(), event.sender(), event.content());
  std::set<StateKey> seen;
  bool has_create = false;
  for (const AuthEventEntry& entry : auth_events) {
    const Event& auth_event = *entry.event;
    const StateKey key{auth_event.type(), auth_event.state_key().value_or("")};
    if (auth_event.is_state() && !seen.insert(key).second)
      return Refusal{AuthRule::auth_events_duplicate, "auth_events has two entries for " + describe(auth_event)};
    if (!auth_event.is_state() || std::ranges::find(wanted, key) == wanted.end())
      return Refusal{AuthRule::auth_events_selection, describe(auth_event) + " does not belong in auth_events"};
    if (entry.rejected)
      return Refusal{AuthRule::auth_events_rejected, "the auth event " + describe(auth_event) + " was rejected"};
    if (auth_event.room_id() != event.room_id())
      return Refusal{AuthRule::auth_events_room, "the auth event " + describe(auth_event) + " is of another room"};
    has_create = has_create || auth_event.is("m.room.create");
  }
  if (!version.room_id_is_create_hash && !has_create)
    return Refusal{AuthRule::auth_events_create, "auth_events has no m.room.create event"};
  return std::nullopt;
}

}  // namespace causeway
