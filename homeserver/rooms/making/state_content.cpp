#include "homeserver/rooms/making/state_content.hpp"

#include <algorithm>
#include <span>
#include <string>

#include "homeserver/rooms/auth/power_level_value.hpp"
#include "schema/json/json.hpp"
#include "schema/matrix/ids.hpp"

namespace causeway {

namespace {

enum class Form {
  text,
  text_or_null,  // clients take things away by null
  boolean,
  texts,  // an array
  texts_or_null,
  conditions,  // of restricted rooms
  keys,        // of third-party invites
  reference,   // to a room, and an event of it
};

struct Member {
  std::string_view key;
  Form form;
  bool required = false;
};

constexpr Member canonical_alias[] = {{"alias", Form::text_or_null}, {"alt_aliases", Form::texts_or_null}};
constexpr Member join_rules[] = {{"join_rule", Form::text}, {"allow", Form::conditions}};
constexpr Member history_visibility[] = {{"history_visibility", Form::text}};
constexpr Member guest_access[] = {{"guest_access", Form::text}};
constexpr Member server_acl[] = {{"allow", Form::texts}, {"deny", Form::texts}, {"allow_ip_literals", Form::boolean}};
constexpr Member name[] = {{"name", Form::text}};
constexpr Member topic[] = {{"topic", Form::text}};
constexpr Member avatar[] = {{"url", Form::text_or_null}};
constexpr Member encryption[] = {{"algorithm", Form::text}};
constexpr Member tombstone[] = {{"body", Form::text}, {"replacement_room", Form::text}};
constexpr Member room_member[] = {{"membership", Form::text, true},
                                  {"displayname", Form::text_or_null},
                                  {"avatar_url", Form::text_or_null},
                                  {"reason", Form::text_or_null},
                                  {"is_direct", Form::boolean}};
constexpr Member third_party_invite[] = {{"display_name", Form::text},
                                         {"key_validity_url", Form::text},
                                         {"public_key", Form::text},
                                         {"public_keys", Form::keys}};
constexpr Member creation[] = {{"m.federate", Form::boolean}, {"type", Form::text}, {"predecessor", Form::reference}};
constexpr Member condition[] = {{"type", Form::text}, {"room_id", Form::text}};
constexpr Member key_of_invite[] = {{"public_key", Form::text}, {"key_validity_url", Form::text}};
constexpr Member reference[] = {{"room_id", Form::text}, {"event_id", Form::text}};

struct StateType {
  std::string_view type;
  std::span<const Member> members;
  bool any_state_key = false;  // else that with another than "" is not read
};
constexpr StateType types[] = {
    {"m.room.canonical_alias", canonical_alias},
    {"m.room.join_rules", join_rules},
    {"m.room.history_visibility", history_visibility},
    {"m.room.guest_access", guest_access},
    {"m.room.server_acl", server_acl},
    {"m.room.name", name},
    {"m.room.topic", topic},
    {"m.room.avatar", avatar},
    {"m.room.encryption", encryption},
    {"m.room.tombstone", tombstone},
    {"m.room.member", room_member, true},
    {"m.room.third_party_invite", third_party_invite, true},
};

bool has_form(std::span<const Member> members, const json::object& content);

bool all_have_form(std::span<const Member> members, const json::value& array) {
  return array.is_array() && std::ranges::all_of(array.get_array(), [members](const json::value& entry) {
           return entry.is_object() && has_form(members, entry.get_object());
         });
}

bool has_form(Form form, const json::value& value) {
  switch (form) {
    case Form::text:
      return value.is_string();
    case Form::text_or_null:
      return value.is_string() || value.is_null();
    case Form::boolean:
      return value.is_bool();
    case Form::texts:
      return value.is_array() && std::ranges::all_of(value.get_array(), &json::value::is_string);
    case Form::texts_or_null:
      return value.is_null() || has_form(Form::texts, value);
    case Form::conditions:
      return all_have_form(condition, value);
    case Form::keys:
      return all_have_form(key_of_invite, value);
    case Form::reference:
      return value.is_object() && has_form(reference, value.get_object());
  }
  return false;
}

bool has_form(const Member& member, const json::object& content) {
  const json::value* value = content.if_contains(member.key);
  return value ? has_form(member.form, *value) : !member.required;
}

bool has_form(std::span<const Member> members, const json::object& content) {
  return std::ranges::all_of(members, [&content](const Member& member) { return has_form(member, content); });
}

std::string_view description_of(Form form) {
  switch (form) {
    case Form::text:
    case Form::text_or_null:
      return "a string";
    case Form::boolean:
      return "true or false";
    case Form::texts:
    case Form::texts_or_null:
      return "an array of strings";
    case Form::conditions:
      return "an array of objects with 'type' and 'room_id'";
    case Form::keys:
      return "an array of objects with 'public_key'";
    case Form::reference:
      return "an object with 'room_id'";
  }
  return "";
}

MatrixError wrong_form(std::string_view key, std::string_view expected) {
  return make_error(ErrorCode::bad_json,
                    "The member '" + std::string(key) + "' must be " + std::string(expected) + ".");
}

Result<> check(std::span<const Member> members, const json::object& content) {
  for (const Member& member : members)
    if (!has_form(member, content)) return wrong_form(member.key, description_of(member.form));
  return {};
}

// spec: client-server-api#mroompower_levels
Result<> check_power_levels(PowerLevelValues allowed, const json::object& content) {
  for (const char* key : {"users_default", "events_default", "state_default", "ban", "redact", "kick", "invite"})
    if (content.contains(key) && !find_power_level(allowed, content, key)) return wrong_form(key, "a power level");
  for (const char* key : {"users", "events", "notifications"}) {
    const json::value* map = content.if_contains(key);
    if (!map) continue;
    if (!map->is_object()) return wrong_form(key, "an object of power levels");
    for (const auto& entry : map->get_object())
      if (!read_power_level(allowed, entry.value())) return wrong_form(key, "an object of power levels");
  }
  if (const json::object* users = json::find_object(content, "users"))
    for (const auto& entry : *users)
      if (!UserId::parse(entry.key())) return wrong_form("users", "an object of power levels by user IDs");
  return {};
}

}  // namespace

Result<> check_state_content(const RoomVersion& version, std::string_view type, std::string_view state_key,
                             const json::object& content) {
  // Other servers would redact what it names, and nobody here has asked whether its sender may.
  if (type == "m.room.redaction") return make_error(ErrorCode::bad_json, "A redaction is no state.");
  if (type == "m.room.power_levels" && state_key.empty())
    return check_power_levels(version.power_level_values, content);
  for (const StateType& read : types)
    if (read.type == type && (read.any_state_key || state_key.empty())) return check(read.members, content);
  return {};
}

Result<> check_creation_content(const json::object& content) {
  return check(creation, content);
}

}  // namespace causeway
