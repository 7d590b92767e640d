// What distinguishes the room versions, as one table. Everything else asks these traits, never the version's number.
//
// spec: rooms#room-versions
#pragma once

#include <span>
#include <string_view>

namespace causeway {

// Which redaction algorithm: which keys survive. spec: rooms/v9#redactions, rooms/v11#redactions
enum class RedactionRules { v9, v11 };
enum class AuthRules { v10, v11, v12 };
enum class StateResolution { v2, v2_1 };

struct RoomVersion {
  std::string_view id;  // "12"
  RedactionRules redaction;
  AuthRules auth;
  StateResolution state_resolution;
  bool room_id_is_create_hash;   // v12: no room_id in the create event, create never in auth_events
  bool redacts_in_content;       // v11: m.room.redaction names its target in content
  bool creator_in_content;       // before v11: m.room.create carries content.creator
  bool creators_are_privileged;  // v12: creators have infinite power and must not be in `users`
  bool strict_canonical_json;    // v6 on
  bool enforce_key_validity;     // v5 on
};

// All that this server can be in, ascending.
std::span<const RoomVersion> supported_room_versions();

// nullptr for a version that is not supported. The pointer is valid for the program's life.
const RoomVersion* find_room_version(std::string_view id);

inline constexpr std::string_view default_room_version = "12";

}  // namespace causeway
