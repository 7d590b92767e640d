// The rules on m.room.power_levels: rule 10 (v1 to v5, v12) or 9 (v6 to v11).
#include <array>
#include <limits>
#include <span>

#include "homeserver/rooms/auth/auth_judgement.hpp"
#include "schema/json/json.hpp"

namespace causeway::auth {

namespace {

constexpr std::array single_levels = {"users_default", "events_default", "state_default", "ban",
                                      "redact",        "kick",           "invite"};
constexpr std::array<const char*, 2> level_maps = {"events", "notifications"};

// The maps whose entries are limited by the sender's own level.
std::span<const char* const> limited_maps(const RoomVersion& version) {
  return std::span(level_maps).first(version.notifications_are_limited ? 2 : 1);
}

bool is_map_of_levels(PowerLevelValues allowed, const json::value& value) {
  return value.is_object() && std::ranges::all_of(value.get_object(), [allowed](const auto& entry) {
           return read_power_level(allowed, entry.value()).has_value();
         });
}

// From version 10 on every level is an integer.
Settled check_values(const json::object& content) {
  constexpr auto integers = PowerLevelValues::integers;
  for (const char* key : single_levels) {
    const json::value* level = content.if_contains(key);
    if (level && !read_power_level(integers, *level))
      return refuse(AuthRule::levels_single_values, std::string(key) + " is not an integer");
  }
  for (const char* key : level_maps) {
    const json::value* levels = content.if_contains(key);
    if (levels && !is_map_of_levels(integers, *levels))
      return refuse(AuthRule::levels_map_values, std::string(key) + " is not an object of integers");
  }
  return std::nullopt;
}

// An absent map is an empty one.
Settled check_users(const Judgement& judgement) {
  const json::value* users = judgement.event().content().if_contains("users");
  if (!users) return std::nullopt;
  if (!is_map_of_levels(judgement.version().power_level_values, *users))
    return refuse(AuthRule::levels_users_values, "users is not an object of integers");
  for (const auto& entry : users->get_object()) {
    const auto user = UserId::parse(entry.key());
    if (user.has_error()) return refuse(AuthRule::levels_users_values, "users names something that is not a user ID");
    if (judgement.version().creators_are_privileged && is_room_creator(judgement.create(), *user))
      return refuse(AuthRule::levels_creators, "users names a creator of the room");
  }
  return std::nullopt;
}

using Level = std::optional<std::int64_t>;

// A level that differs between the power levels in force and the proposed ones. Nothing: absent on that side.
struct Alteration {
  std::string_view key;
  Level current;
  Level proposed;
  bool is_change() const { return current != proposed; }
};

// The levels in force against the proposed ones.
class Comparison {
 public:
  Comparison(const Judgement& judgement, const Event& in_force)
      : allowed_(judgement.version().power_level_values),
        current_(in_force.content()),
        proposed_(judgement.event().content()) {}

  Alteration single(std::string_view key) const { return compare(current_, proposed_, key); }

  // Of two maps of levels, each difference once.
  std::vector<Alteration> map(std::string_view key) const {
    static const json::object none;
    const json::object* current = json::find_object(current_, key);
    const json::object* proposed = json::find_object(proposed_, key);
    return map(current ? *current : none, proposed ? *proposed : none);
  }

 private:
  std::vector<Alteration> map(const json::object& current, const json::object& proposed) const {
    std::vector<Alteration> found;
    const auto add = [&found](const Alteration& alteration) {
      if (alteration.is_change()) found.push_back(alteration);
    };
    for (const auto& entry : current)
      add(compare(current, proposed, entry.key()));
    for (const auto& entry : proposed)
      if (!current.contains(entry.key())) add(compare(current, proposed, entry.key()));
    return found;
  }

  // What can't be read is no level in force, and above all levels where it is proposed.
  Alteration compare(const json::object& current, const json::object& proposed, std::string_view key) const {
    Alteration found{key, std::nullopt, std::nullopt};
    if (const json::value* value = current.if_contains(key)) found.current = read_power_level(allowed_, *value);
    if (const json::value* value = proposed.if_contains(key))
      found.proposed = read_power_level(allowed_, *value).value_or(std::numeric_limits<std::int64_t>::max());
    return found;
  }

  PowerLevelValues allowed_;
  const json::object& current_;
  const json::object& proposed_;
};

Settled check_single_levels(const Comparison& comparison, std::int64_t sender) {
  for (const char* key : single_levels) {
    const Alteration alteration = comparison.single(key);
    if (!alteration.is_change()) continue;
    if (alteration.current > sender)
      return refuse(AuthRule::levels_single_current, std::string(key) + " is above the sender's power level");
    if (alteration.proposed > sender)
      return refuse(AuthRule::levels_single_new, std::string(key) + " would be above the sender's power level");
  }
  return std::nullopt;
}

Settled check_level_maps(const Judgement& judgement, const Comparison& comparison, std::int64_t sender) {
  for (const char* map : limited_maps(judgement.version()))
    for (const Alteration& alteration : comparison.map(map)) {
      if (alteration.current > sender)
        return refuse(AuthRule::levels_map_current, std::string(map) + " has an entry above the sender's power level");
      if (alteration.proposed > sender)
        return refuse(AuthRule::levels_map_new, std::string(map) + " would exceed the sender's power level");
    }
  return std::nullopt;
}

Settled check_levels_of_users(const Judgement& judgement, const Comparison& comparison, std::int64_t sender) {
  for (const Alteration& alteration : comparison.map("users")) {
    if (alteration.current >= sender && alteration.key != judgement.event().sender().str())
      return refuse(AuthRule::levels_users_current, "a user's level is not below the sender's");
    if (alteration.proposed > sender)
      return refuse(AuthRule::levels_users_new, "a user's level would be above the sender's");
  }
  return std::nullopt;
}

}  // namespace

// A comparison of an absent Level with a number is false: nothing is less than every number.
AuthDecision check_power_levels(const Judgement& judgement) {
  if (judgement.version().power_level_values == PowerLevelValues::integers)
    if (auto refused = check_values(judgement.event().content())) return std::move(*refused);
  if (auto refused = check_users(judgement)) return std::move(*refused);
  if (!judgement.power_levels_event()) return allow(AuthRule::levels_first);
  const Comparison comparison(judgement, *judgement.power_levels_event());
  const std::int64_t sender = judgement.sender_level();
  if (auto refused = check_single_levels(comparison, sender)) return std::move(*refused);
  if (auto refused = check_level_maps(judgement, comparison, sender)) return std::move(*refused);
  if (auto refused = check_levels_of_users(judgement, comparison, sender)) return std::move(*refused);
  return allow(AuthRule::levels_otherwise);
}

}  // namespace causeway::auth
