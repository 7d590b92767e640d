// Who may do what: levels with their defaults, and who the creators are.
#include "homeserver/rooms/auth_rules.hpp"
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

}  // namespace

bool is_room_creator(const Event& create, const UserId& user) {
  return is_creator(create, user.str());
}

PowerLevels::PowerLevels(const Event* power_levels, const Event* create)
    : power_levels_(power_levels), create_(create) {}

std::int64_t PowerLevels::level(std::string_view key, std::int64_t otherwise) const {
  return power_levels_ ? json::find_int(power_levels_->content(), key).value_or(otherwise) : otherwise;
}

std::optional<std::int64_t> PowerLevels::entry(std::string_view map, std::string_view key) const {
  const json::object* levels = power_levels_ ? json::find_object(power_levels_->content(), map) : nullptr;
  return levels ? json::find_int(*levels, key) : std::nullopt;
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

std::int64_t PowerLevels::notification(std::string_view key) const {
  return entry("notifications", key).value_or(moderator_level);
}

}  // namespace causeway
