// What distinguishes the room versions, as one table. Everything else asks these traits, never the version's number.
//
// spec: rooms#room-versions
#pragma once

#include <span>
#include <string_view>

namespace causeway {

// v1: the event carries its event_id, and cites others as pairs of ID and hash. v3: neither.
enum class EventFormat { v1, v3 };
// How an event gets its ID: its server chooses it, or it is the reference hash in one of two spellings.
enum class EventIdForm { chosen, base64, url_safe_base64 };
// Which redaction algorithm: which keys survive. Named by the version that brought it.
enum class RedactionRules { v1, v6, v8, v9, v11 };
// How the authorisation rules are numbered. Named by the version that brought it.
enum class AuthRules { v1, v3, v6, v7, v8, v10, v11, v12 };
enum class StateResolution { v1, v2, v2_1 };
// What stands for an integer in m.room.power_levels.
enum class PowerLevelValues { floats_and_strings, strings, integers };

// The members' defaults are room version 1; every later version says what it changes.
struct RoomVersion {
  std::string_view id = "1";
  EventFormat event_format = EventFormat::v1;
  EventIdForm event_id = EventIdForm::chosen;
  RedactionRules redaction = RedactionRules::v1;
  StateResolution state_resolution = StateResolution::v1;
  bool strict_canonical_json = false;  // no floats, no integers beyond 53 bits
  bool enforce_key_validity = false;   // keys must have been valid at the event's origin_server_ts

  AuthRules auth = AuthRules::v1;
  bool aliases_are_authorised = true;      // m.room.aliases has a rule of its own
  bool redactions_are_authorised = true;   // the rules say who may redact; later it is judged when applying
  bool notifications_are_limited = false;  // the rules on levels include `notifications`
  PowerLevelValues power_level_values = PowerLevelValues::floats_and_strings;
  bool has_knocking = false;          // join rule and membership `knock`
  bool has_restricted_joins = false;  // join rule `restricted`, join_authorised_via_users_server
  bool has_knock_restricted = false;  // join rule `knock_restricted`

  bool creator_in_content = true;        // m.room.create carries content.creator
  bool redacts_in_content = false;       // m.room.redaction names its target in content
  bool room_id_is_create_hash = false;   // no room_id in the create event, create never in auth_events
  bool creators_are_privileged = false;  // creators have infinite power and must not be in `users`

  // What a join rule means here; a version does not know the rules that came after it.
  constexpr bool lets_knock(std::string_view join_rule) const {
    return (has_knocking && join_rule == "knock") || (has_knock_restricted && join_rule == "knock_restricted");
  }
  constexpr bool lets_members_of_rooms_join(std::string_view join_rule) const {
    return (has_restricted_joins && join_rule == "restricted") ||
           (has_knock_restricted && join_rule == "knock_restricted");
  }
};

// All that this server can be in, ascending. All are stable.
std::span<const RoomVersion> supported_room_versions();

// nullptr for a version that is not supported. The pointer is valid for the program's life.
const RoomVersion* find_room_version(std::string_view id);

inline constexpr std::string_view default_room_version = "12";

}  // namespace causeway
