// Who may do what: levels with their defaults, and who the creators are.
#include <charconv>
#include <limits>

#include "homeserver/rooms/auth/auth_judgement.hpp"
#include "schema/json/json.hpp"

namespace causeway {

namespace {

constexpr std::int64_t moderator_level = 50;
constexpr std::int64_t creator_level_without_event = 100;  // before room version 12

bool names(const json::array& users, std::string_view user) {
  return std::ranges::any_of(users, [user](const json::value& entry) {
    return entry.is_string() && std::string_view(entry.get_string()) == user;
  });
}

bool is_creator(const Event& create, std::string_view user) {
  if (create.version().creator_in_content) return json::find_string(create.content(), "creator") == user;
  if (create.sender().str() == user) return true;
  if (!create.version().creators_are_privileged) return false;
  const json::array* additional = json::find_array(create.content(), "additional_creators");
  return additional && names(*additional, user);
}

constexpr std::int64_t greatest = std::numeric_limits<std::int64_t>::max();
constexpr std::int64_t least = std::numeric_limits<std::int64_t>::min();

// Levels beyond 64 bits are as good as the greatest (or least) there is.
std::optional<std::int64_t> level_in_words(std::string_view text) {
  constexpr std::string_view space = " \t\n\v\f\r";
  const std::size_t begin = text.find_first_not_of(space);
  if (begin == std::string_view::npos) return std::nullopt;
  text = text.substr(begin, text.find_last_not_of(space) + 1 - begin);
  const bool negative = text.front() == '-';
  if (negative || text.front() == '+') text.remove_prefix(1);
  if (text.empty() || text.find_first_not_of("0123456789") != std::string_view::npos) return std::nullopt;
  std::int64_t level = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), level);
  if (error == std::errc::result_out_of_range) return negative ? least : greatest;
  return negative ? -level : level;
}

std::int64_t truncated(double level) {
  if (level >= 0x1p63) return greatest;
  if (level < -0x1p63) return least;
  return static_cast<std::int64_t>(level);
}

}  // namespace

std::optional<std::int64_t> read_power_level(PowerLevelValues allowed, const json::value& value) {
  if (value.is_int64()) return value.get_int64();
  if (value.is_uint64()) return greatest;
  if (allowed != PowerLevelValues::integers && value.is_string()) return level_in_words(value.get_string());
  if (allowed == PowerLevelValues::floats_and_strings && value.is_double()) return truncated(value.get_double());
  return std::nullopt;
}

std::optional<std::int64_t> find_power_level(PowerLevelValues allowed, const json::object& levels,
                                             std::string_view key) {
  const json::value* value = levels.if_contains(key);
  return value ? read_power_level(allowed, *value) : std::nullopt;
}

bool is_room_creator(const Event& create, const UserId& user) {
  return is_creator(create, user.str());
}

PowerLevels::PowerLevels(const Event* power_levels, const Event* create)
    : power_levels_(power_levels), create_(create) {}

std::optional<std::int64_t> PowerLevels::read(const boost::json::object& levels, std::string_view key) const {
  return find_power_level(power_levels_->version().power_level_values, levels, key);
}

std::int64_t PowerLevels::level(std::string_view key, std::int64_t otherwise) const {
  return power_levels_ ? read(power_levels_->content(), key).value_or(otherwise) : otherwise;
}

std::optional<std::int64_t> PowerLevels::entry(std::string_view map, std::string_view key) const {
  const json::object* levels = power_levels_ ? json::find_object(power_levels_->content(), map) : nullptr;
  return levels ? read(*levels, key) : std::nullopt;
}

std::int64_t PowerLevels::user(std::string_view user) const {
  const bool creator = create_ && is_creator(*create_, user);
  if (creator && create_->version().creators_are_privileged) return creator_level;
  if (!power_levels_) return creator ? creator_level_without_event : 0;
  const auto own = entry("users", user);
  return own ? *own : level("users_default", 0);
}

std::int64_t PowerLevels::required_for(std::string_view type, bool is_state) const {
  const auto own = entry("events", type);
  if (own) return *own;
  return is_state ? level("state_default", moderator_level) : level("events_default", 0);
}

std::int64_t PowerLevels::invite() const {
  return level("invite", 0);
}
std::int64_t PowerLevels::kick() const {
  return level("kick", moderator_level);
}
std::int64_t PowerLevels::ban() const {
  return level("ban", moderator_level);
}
std::int64_t PowerLevels::redact() const {
  return level("redact", moderator_level);
}

}  // namespace causeway
