#include "homeserver/rooms/making/room_plan.hpp"

#include <algorithm>
#include <array>
#include <set>

#include "homeserver/rooms/making/carried_state.hpp"
#include "homeserver/rooms/making/state_content.hpp"
#include "schema/json/json.hpp"
#include "schema/log.hpp"

namespace causeway {

namespace {

using boost::json::array;
using boost::json::object;

constexpr std::size_t max_initial_state = 1000;
constexpr std::size_t max_invites = 500;

struct Preset {
  std::string_view name, join_rule, guest_access;
  std::int64_t invite_level;
  bool invitees_are_privileged;
};
constexpr std::array<Preset, 3> presets = {{
    {"private_chat", "invite", "can_join", 0, false},
    {"trusted_private_chat", "invite", "can_join", 0, true},
    {"public_chat", "public", "forbidden", 50, false},
}};

const Preset* find_preset(const CreateRoom& request) {
  std::string_view name = request.preset;
  if (name.empty()) name = request.published ? "public_chat" : "private_chat";
  auto found = std::ranges::find(presets, name, &Preset::name);
  return found == presets.end() ? nullptr : &*found;
}

// The additional_creators asked for, with the invited where the preset trusts them; each once.
// spec: rooms/v12#authorization-rules rule 1.4
Result<array> additional_creators(const CreateRoom& request, const Preset& preset) {
  array all;
  std::set<std::string> seen;
  if (const auto* given = request.creation_content.if_contains("additional_creators")) {
    if (!given->is_array()) return make_error(ErrorCode::invalid_param, "'additional_creators' must be an array.");
    for (const auto& entry : given->get_array()) {
      if (!entry.is_string() || !UserId::parse(std::string_view(entry.get_string())))
        return make_error(ErrorCode::invalid_param, "'additional_creators' must hold user IDs.");
      if (seen.emplace(entry.get_string()).second) all.push_back(entry);
    }
  }
  if (preset.invitees_are_privileged)
    for (const auto& invited : request.invite)
      if (seen.insert(invited.str()).second) all.emplace_back(invited.str());
  return all;
}

Result<object> create_content(const CreateRoom& request, const RoomVersion& version, const Preset& preset) {
  object content = request.creation_content;
  content["room_version"] = version.id;
  content.erase("creator");
  if (version.creator_in_content) content["creator"] = request.creator.user.str();
  if (!version.creators_are_privileged) return content;
  auto creators = additional_creators(request, preset);
  if (!creators) return creators.error();
  if (!creators->empty()) content["additional_creators"] = std::move(*creators);
  return content;
}

object power_levels_content(const CreateRoom& request, const RoomVersion& version, const Preset& preset) {
  object users;
  if (!version.creators_are_privileged) {
    users[request.creator.user.str()] = 100;
    if (preset.invitees_are_privileged)
      for (const auto& invited : request.invite)
        users[invited.str()] = 100;
  }
  object events;
  for (std::string_view type : {"m.room.name", "m.room.avatar", "m.room.canonical_alias"})
    events[type] = 50;
  for (std::string_view type :
       {"m.room.power_levels", "m.room.history_visibility", "m.room.server_acl", "m.room.encryption"})
    events[type] = 100;
  if (!version.creators_are_privileged) events["m.room.tombstone"] = 100;
  object content;
  content["users"] = std::move(users);
  content["users_default"] = 0;
  content["events"] = std::move(events);
  content["events_default"] = 0;
  content["state_default"] = 50;
  content["ban"] = 50;
  content["kick"] = 50;
  content["redact"] = 50;
  content["invite"] = preset.invite_level;
  for (const auto& [key, value] : request.power_level_override)
    content[key] = value;
  if (version.creators_are_privileged) raise_tombstone_level(content);
  return content;
}

Result<std::vector<InitialEvent>> read_initial_state(const array& entries) {
  if (entries.size() > max_initial_state)
    return make_error(ErrorCode::invalid_param, "'initial_state' holds too many events.");
  std::vector<InitialEvent> events;
  for (const auto& entry : entries) {
    if (!entry.is_object()) return make_error(ErrorCode::bad_json, "'initial_state' must hold objects.");
    auto type = json::required_string(entry.get_object(), "type");
    if (!type) return type.error();
    auto state_key = json::optional_string(entry.get_object(), "state_key");
    if (!state_key) return state_key.error();
    auto content = json::required_object(entry.get_object(), "content");
    if (!content) return content.error();
    events.emplace_back(std::move(*type), state_key->value_or(""), **content);
  }
  return events;
}

object single(std::string_view key, std::string_view value) {
  object content;
  content[key] = value;
  return content;
}

object topic_content(const std::string& topic) {
  // spec: client-server-api#mroomtopic
  object text = single("body", topic);
  text["mimetype"] = "text/plain";
  array texts;
  texts.push_back(std::move(text));
  object block;
  block["m.text"] = std::move(texts);
  object content = single("topic", topic);
  content["m.topic"] = std::move(block);
  return content;
}

// Everything between the creator's power levels and the invites.
std::vector<InitialEvent> events_in_order(const CreateRoom& request, const Preset& preset,
                                          const std::optional<RoomAlias>& alias,
                                          std::vector<InitialEvent> initial_state) {
  const auto given = [&](std::string_view type) {
    return std::ranges::any_of(initial_state,
                               [&](const auto& event) { return event.type == type && event.state_key.empty(); });
  };
  std::vector<InitialEvent> events;
  if (alias) events.emplace_back("m.room.canonical_alias", "", single("alias", alias->str()));
  const auto add_unless_given = [&](const char* type, object content) {
    if (!given(type)) events.emplace_back(type, "", std::move(content));
  };
  add_unless_given("m.room.join_rules", single("join_rule", preset.join_rule));
  add_unless_given("m.room.history_visibility", single("history_visibility", "shared"));
  add_unless_given("m.room.guest_access", single("guest_access", preset.guest_access));
  for (auto& event : initial_state) {
    const bool overridden = event.state_key.empty() && ((request.name && event.type == "m.room.name") ||
                                                        (request.topic && event.type == "m.room.topic"));
    if (!overridden) events.push_back(std::move(event));
  }
  if (request.name) events.emplace_back("m.room.name", "", single("name", *request.name));
  if (request.topic) events.emplace_back("m.room.topic", "", topic_content(*request.topic));
  return events;
}

// What a client wants a room to start with, by its form.
Result<> check_initial_event(const RoomVersion& version, const InitialEvent& event) {
  // Whom another server must sign for, and who may want no invites, is invited in the way that asks.
  if (event.type == "m.room.member" && json::find_string(event.content, "membership") == "invite")
    return make_error(ErrorCode::invalid_room_state, "'initial_state' invites nobody; 'invite' does.");
  return check_state_content(version, event.type, event.state_key, event.content);
}

}  // namespace

Result<RoomPlan> plan_room(const CreateRoom& request, const ServerName& self) {
  RoomPlan plan;
  plan.version = find_room_version(request.version);
  if (!plan.version)
    return make_error(ErrorCode::unsupported_room_version, 400,
                      "This server does not support room version '" + request.version + "'.");
  const Preset* preset = find_preset(request);
  if (!preset) return make_error(ErrorCode::invalid_param, "There is no preset '" + request.preset + "'.");
  if (request.invite.size() > max_invites)
    return make_error(ErrorCode::invalid_param, "'invite' names too many users.");
  if (request.alias_localpart) {
    auto alias = RoomAlias::parse("#" + *request.alias_localpart + ":" + self.str());
    if (!alias) return make_error(ErrorCode::invalid_param, "'room_alias_name' makes no valid room alias.");
    plan.alias = std::move(*alias);
  }
  auto create = create_content(request, *plan.version, *preset);
  if (!create) return create.error();
  plan.create = std::move(*create);
  plan.power_levels = power_levels_content(request, *plan.version, *preset);
  auto initial_state = read_initial_state(request.initial_state);
  if (!initial_state) return initial_state.error();
  plan.events = events_in_order(request, *preset, plan.alias, std::move(*initial_state));
  return plan;
}

Result<> check_plan(const CreateRoom& request, const RoomPlan& plan) {
  if (auto checked = check_creation_content(request.creation_content); !checked) return checked;
  if (auto checked = check_state_content(*plan.version, "m.room.power_levels", "", plan.power_levels); !checked)
    return checked;
  for (const InitialEvent& event : plan.events)
    if (auto checked = check_initial_event(*plan.version, event); !checked) return checked;
  return {};
}

}  // namespace causeway
