#include "schema/events/room_version.hpp"

#include <array>

namespace causeway {

namespace {

// Columns in the order of the struct's members.
constexpr std::array<RoomVersion, 3> versions = {{
    {"10", RedactionRules::v9, AuthRules::v10, StateResolution::v2, false, false, true, false, true, true},
    {"11", RedactionRules::v11, AuthRules::v11, StateResolution::v2, false, true, false, false, true, true},
    {"12", RedactionRules::v11, AuthRules::v12, StateResolution::v2_1, true, true, false, true, true, true},
}};

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
