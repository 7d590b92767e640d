#include "homeserver/rooms/making/carried_state.hpp"

#include <algorithm>

#include "homeserver/rooms/auth/power_level_value.hpp"
#include "schema/json/canonical.hpp"
#include "schema/json/json.hpp"

namespace causeway {

namespace {

using json::array;
using json::object;

constexpr std::int64_t moderator_level = 50;
constexpr const char* single_levels[] = {"users_default", "events_default", "state_default", "ban",
                                         "redact",        "kick",           "invite"};
constexpr const char* level_maps[] = {"users", "events", "notifications"};

std::int64_t in_range(std::int64_t level) {
  return std::clamp(level, -json::max_canonical_int, json::max_canonical_int);
}

// What can't be read counts for nothing already, and later versions would not have it.
void keep_integers(object& levels, PowerLevelValues from) {
  for (auto entry = levels.begin(); entry != levels.end();) {
    const auto level = read_power_level(from, entry->value());
    if (!level) {
      entry = levels.erase(entry);
      continue;
    }
    entry->value() = in_range(*level);
    ++entry;
  }
}

// Earlier versions may have levels written as strings or floats, which later ones do not allow.
void make_integers(object& levels, PowerLevelValues from) {
  for (const char* key : single_levels) {
    if (!levels.contains(key)) continue;
    const auto level = find_power_level(from, levels, key);
    if (level)
      levels[key] = in_range(*level);
    else
      levels.erase(key);
  }
  for (const char* key : level_maps) {
    json::value* map = levels.if_contains(key);
    if (!map) continue;
    if (map->is_object())
      keep_integers(map->get_object(), from);
    else
      levels.erase(key);
  }
}

// Of a version whose creators stand above all levels.
std::vector<std::string> creators_of(const Event& create) {
  std::vector<std::string> creators(1, create.sender().str());
  if (const auto* more = json::find_array(create.content(), "additional_creators"))
    for (const auto& creator : *more)
      if (creator.is_string()) creators.emplace_back(creator.get_string());
  return creators;
}

}  // namespace

void raise_tombstone_level(object& power_levels) {
  constexpr std::int64_t usual = 150;
  constexpr auto integers = PowerLevelValues::integers;
  const std::int64_t state_default =
      find_power_level(integers, power_levels, "state_default").value_or(moderator_level);
  auto& events = power_levels["events"];
  if (events.is_null()) events.emplace_object();
  if (!events.is_object()) return;
  const auto given = find_power_level(integers, events.get_object(), "m.room.tombstone");
  if (given && *given > state_default) return;
  events.get_object()["m.room.tombstone"] = in_range(std::max(usual, in_range(state_default) + 1));
}

std::int64_t highest_level(const RoomVersion& version, const object& levels) {
  std::int64_t highest = 100;
  const auto look_at = [&](const json::value& value) {
    if (const auto level = read_power_level(version.power_level_values, value)) highest = std::max(highest, *level);
  };
  for (const auto& [key, value] : levels) {
    look_at(value);
    if (value.is_object())
      for (const auto& [name, level] : value.get_object())
        look_at(level);
  }
  return in_range(highest);
}

object carried_levels(const Event& levels, const RoomVersion& to, const Event& old_create,
                      const std::vector<std::string>& new_creators) {
  const RoomVersion& from = levels.version();
  object carried = levels.content();
  const bool integers = to.power_level_values == PowerLevelValues::integers;
  if (integers || to.power_level_values != from.power_level_values) make_integers(carried, from.power_level_values);
  object users;
  if (const auto* given = json::find_object(carried, "users")) users = *given;
  if (to.creators_are_privileged) {
    for (const auto& creator : new_creators)
      users.erase(creator);
  } else if (from.creators_are_privileged) {
    for (const auto& creator : creators_of(old_create))
      users[creator] = 100;
  }
  carried["users"] = std::move(users);
  if (to.creators_are_privileged) raise_tombstone_level(carried);
  return carried;
}

object quietened_levels(const Event& levels) {
  const auto values = levels.version().power_level_values;
  object quiet = levels.content();
  const auto level = [&](const char* key) { return in_range(find_power_level(values, quiet, key).value_or(0)); };
  const std::int64_t above_all = in_range(level("users_default") + 1);
  for (const char* key : {"events_default", "invite"})
    quiet[key] = std::max({level(key), above_all, moderator_level});
  return quiet;
}

void fit_join_rule(object& content, const RoomVersion& to) {
  const auto rule = json::find_string(content, "join_rule").value_or("invite");
  if (rule == "public" || rule == "invite" || rule == "private") return;
  if (to.lets_knock(rule) || to.lets_members_of_rooms_join(rule)) return;
  const bool by_rooms = rule == "restricted" || rule == "knock_restricted";
  content["join_rule"] = by_rooms && to.has_restricted_joins ? "restricted" : to.has_knocking ? "knock" : "invite";
}

CarriedAliases split_canonical_alias(const object& content, const std::vector<RoomAlias>& moving) {
  const auto moves = [&](const json::value& alias) {
    return alias.is_string() && std::ranges::any_of(moving, [&](const RoomAlias& candidate) {
             return candidate.str() == std::string_view(alias.get_string());
           });
  };
  CarriedAliases split;
  split.kept = content;
  object moved;
  if (const auto* alias = content.if_contains("alias"); alias && moves(*alias)) {
    moved["alias"] = *alias;
    split.kept.erase("alias");
  }
  if (const auto* more = json::find_array(content, "alt_aliases")) {
    array there, here;
    for (const auto& alias : *more)
      (moves(alias) ? there : here).push_back(alias);
    if (!there.empty()) {
      split.kept["alt_aliases"] = std::move(here);
      moved["alt_aliases"] = std::move(there);
    }
  }
  if (!moved.empty()) split.moved = std::move(moved);
  return split;
}

}  // namespace causeway
