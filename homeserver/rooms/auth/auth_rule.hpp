// The authorisation rules by name, with the number that each has in each room version.
//
// spec: rooms/v1#authorisation-rules and the same section of v3, v6, v7, v8, v10, v11 and v12
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

#include "schema/events/room_version.hpp"

namespace causeway {

// In the order of the specification. `*_otherwise` is what a list of rules ends with.
enum class AuthRule : std::uint8_t {
  // m.room.create
  create_prev_events,
  create_domain,
  create_room_id,
  create_version,
  create_creator,
  create_additional_creators,
  create_otherwise,
  // The create event that the room ID names, from version 12 on
  room_id,
  // The list auth_events
  auth_events_duplicate,
  auth_events_selection,
  auth_events_rejected,
  auth_events_create,
  auth_events_room,
  // m.federate
  federate,
  // m.room.aliases
  aliases_state_key,
  aliases_domain,
  aliases_otherwise,
  // m.room.member
  member_form,
  member_authoriser_signature,
  // m.room.member: join
  join_creator,
  join_sender,
  join_banned,
  join_invited,
  join_restricted_member,
  join_restricted_authoriser,
  join_restricted_otherwise,
  join_public,
  join_otherwise,
  // m.room.member: invite of a third party
  third_party_banned,
  third_party_signed,
  third_party_token,
  third_party_mxid,
  third_party_offer,
  third_party_sender,
  third_party_signature,
  third_party_otherwise,
  // m.room.member: invite
  invite_sender,
  invite_target,
  invite_level,
  invite_otherwise,
  // m.room.member: leave
  leave_own,
  leave_sender,
  leave_unban,
  leave_kick,
  leave_otherwise,
  // m.room.member: ban
  ban_sender,
  ban_level,
  ban_otherwise,
  // m.room.member: knock
  knock_join_rule,
  knock_sender,
  knock_membership,
  knock_otherwise,
  membership_unknown,
  // What every other event must pass
  sender_joined,
  third_party_invite_level,
  required_level,
  own_state_key,
  // m.room.power_levels
  levels_single_values,
  levels_map_values,
  levels_users_values,
  levels_creators,
  levels_first,
  levels_single_current,
  levels_single_new,
  levels_map_current,
  levels_map_new,
  levels_users_current,
  levels_users_new,
  levels_otherwise,
  // m.room.redaction
  redaction_level,
  redaction_domain,
  redaction_otherwise,
  otherwise,
};

// What follows where a rule's condition holds: the event is refused, allowed, or either ("if and only if").
enum class RuleEffect : std::uint8_t { refuses, allows, settles };

struct AuthRuleEntry {
  AuthRule rule;
  RuleEffect effect;
  // By AuthRules; "" where the version has no such rule. Two lists of version 12 skip or repeat a number in the text of
  // the specification; these are the numbers a reader sees.
  std::array<std::string_view, 8> numbers;
};

std::span<const AuthRuleEntry> all_auth_rules();  // one for each AuthRule, in their order

// "5.3.4"; "" where the version has no such rule. Valid for the program's life.
std::string_view number_of(AuthRule rule, const RoomVersion& version);

}  // namespace causeway
