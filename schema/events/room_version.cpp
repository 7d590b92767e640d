#include "schema/events/room_version.hpp"

#include <array>

namespace causeway {

namespace {

// Each version is the one before it with what its page of the specification changes.
constexpr std::array<RoomVersion, 12> make_versions() {
  std::array<RoomVersion, 12> all;
  RoomVersion next;
  std::size_t count = 0;
  const auto add = [&](std::string_view id) {
    next.id = id;
    all[count++] = next;
  };
  add("1");

  next.state_resolution = StateResolution::v2;
  add("2");

  next.event_format = EventFormat::v3;
  next.event_id = EventIdForm::base64;
  next.auth = AuthRules::v3;
  next.redactions_are_authorised = false;
  add("3");

  next.event_id = EventIdForm::url_safe_base64;
  add("4");

  next.enforce_key_validity = true;
  add("5");

  next.redaction = RedactionRules::v6;
  next.strict_canonical_json = true;
  next.auth = AuthRules::v6;
  next.aliases_are_authorised = false;
  next.notifications_are_limited = true;
  next.power_level_values = PowerLevelValues::strings;
  add("6");

  next.auth = AuthRules::v7;
  next.has_knocking = true;
  add("7");

  next.redaction = RedactionRules::v8;
  next.auth = AuthRules::v8;
  next.has_restricted_joins = true;
  add("8");

  next.redaction = RedactionRules::v9;
  add("9");

  next.auth = AuthRules::v10;
  next.power_level_values = PowerLevelValues::integers;
  next.has_knock_restricted = true;
  add("10");

  next.redaction = RedactionRules::v11;
  next.auth = AuthRules::v11;
  next.creator_in_content = false;
  next.redacts_in_content = true;
  add("11");

  next.state_resolution = StateResolution::v2_1;
  next.auth = AuthRules::v12;
  next.room_id_is_create_hash = true;
  next.creators_are_privileged = true;
  add("12");
  return all;
}

constexpr std::array<RoomVersion, 12> versions = make_versions();

}  // namespace

std::span<const RoomVersion> supported_room_versions() {
  return versions;
}

const RoomVersion* find_room_version(std::string_view id) {
  for (const RoomVersion& version : versions)
    if (version.id == id) return &version;
  return nullptr;
}

}  // namespace causeway
