// Rules on m.room.power_levels: 9 (v10, v11), 10 (v12).
#include <array>

#include "homeserver/rooms/auth_judgement.hpp"
#include "schema/json/json.hpp"

namespace causeway::auth {

namespace {

constexpr std::array single_levels = {"users_default", "events_default", "state_default", "ban",
                                      "redact",        "kick",           "invite"};
constexpr std::array level_maps = {"events", "notifications"};

bool is_integer(const json::value& value) {
  return value.is_int64() || value.is_uint64();
}

bool is_map_of_integers(const json::value& value) {
  return value.is_object() &&
         std::ranges::all_of(value.get_object(), [](const auto& entry) { return is_integer(entry.value()); });
}

// Rules 1 to 3 (v12: and 4): what the content looks like. Absent maps are empty ones.
AuthVerdict check_shape(const Judgement& judgement) {
  const json::object& content = judgement.event().content();
  for (const char* key : single_levels) {
    const json::value* level = content.if_contains(key);
    if (level && !is_integer(*level)) return judgement.refuse({"9.1", "10.1"}, std::string(key) + " is not an integer");
  }
  for (const char* key : level_maps) {
    const json::value* levels = content.if_contains(key);
    if (levels && !is_map_of_integers(*levels))
      return judgement.refuse({"9.2", "10.2"}, std::string(key) + " is not an object of integers");
  }
  const json::value* users = content.if_contains("users");
  if (!users) return allowed;
  if (!is_map_of_integers(*users)) return judgement.refuse({"9.3", "10.3"}, "users is not an object of integers");
  for (const auto& entry : users->get_object()) {
    const auto user = UserId::parse(entry.key());
    if (user.has_error()) return judgement.refuse({"9.3", "10.3"}, "users names something that is not a user ID");
    if (judgement.create().version().creators_are_privileged && is_room_creator(judgement.create(), *user))
      return judgement.refuse({"10.4", "10.4"}, "users names a creator of the room");
  }
  return allowed;
}

using Level = std::optional<std::int64_t>;

// A level that differs between the power levels in force and the proposed ones. Nothing: absent on that side.
struct Alteration {
  std::string_view key;
  Level current;
  Level proposed;
};

Alteration compare(const json::object& current, const json::object& proposed, std::string_view key) {
  return {key, json::find_int(current, key), json::find_int(proposed, key)};
}

// Of two maps of levels, each difference once.
std::vector<Alteration> alterations(const json::object* current, const json::object* proposed) {
  static const json::object none;
  if (!current) current = &none;
  if (!proposed) proposed = &none;
  std::vector<Alteration> found;
  for (const auto& entry : *current) {
    const Alteration alteration = compare(*current, *proposed, entry.key());
    if (alteration.current != alteration.proposed) found.push_back(alteration);
  }
  for (const auto& entry : *proposed)
    if (!current->contains(entry.key())) found.push_back(compare(*current, *proposed, entry.key()));
  return found;
}

AuthVerdict check_single_levels(const Judgement& judgement, const json::object& current, std::int64_t sender) {
  for (const char* key : single_levels) {
    const Alteration alteration = compare(current, judgement.event().content(), key);
    if (alteration.current == alteration.proposed) continue;
    if (alteration.current > sender)
      return judgement.refuse({"9.5.1", "10.6.1"}, std::string(key) + " is above the sender's power level");
    if (alteration.proposed > sender)
      return judgement.refuse({"9.5.2", "10.6.2"}, std::string(key) + " would be above the sender's power level");
  }
  return allowed;
}

AuthVerdict check_level_maps(const Judgement& judgement, const json::object& current, std::int64_t sender) {
  const json::object& proposed = judgement.event().content();
  for (const char* map : level_maps)
    for (const Alteration& alteration :
         alterations(json::find_object(current, map), json::find_object(proposed, map))) {
      if (alteration.current > sender)
        return judgement.refuse({"9.6.1", "10.7.1"}, std::string(map) + " has an entry above the sender's power level");
      if (alteration.proposed > sender)
        return judgement.refuse({"9.7.1", "10.8.1"}, std::string(map) + " would exceed the sender's power level");
    }
  return allowed;
}

AuthVerdict check_users(const Judgement& judgement, const json::object& current, std::int64_t sender) {
  const Event& event = judgement.event();
  for (const Alteration& alteration :
       alterations(json::find_object(current, "users"), json::find_object(event.content(), "users"))) {
    if (alteration.current >= sender && alteration.key != event.sender().str())
      return judgement.refuse({"9.8.1", "10.9.1"}, "a user's level is not below the sender's");
    if (alteration.proposed > sender)
      return judgement.refuse({"9.9.1", "10.10.1"}, "a user's level would be above the sender's");
  }
  return allowed;
}

}  // namespace

// A comparison of an absent Level with a number is false: nothing is less than every number.
AuthVerdict check_power_levels(const Judgement& judgement) {
  if (auto refusal = check_shape(judgement)) return refusal;
  if (!judgement.power_levels_event()) return allowed;  // 9.4 (10.5)
  const json::object& current = judgement.power_levels_event()->content();
  const std::int64_t sender = judgement.sender_level();
  if (auto refusal = check_single_levels(judgement, current, sender)) return refusal;
  if (auto refusal = check_level_maps(judgement, current, sender)) return refusal;
  return check_users(judgement, current, sender);
}

}  // namespace causeway::auth
