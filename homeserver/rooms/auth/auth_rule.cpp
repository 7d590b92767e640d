#include "homeserver/rooms/auth/auth_rule.hpp"

#include <algorithm>

namespace causeway {

namespace {

using enum AuthRule;
using enum RuleEffect;

// clang-format off
constexpr AuthRuleEntry rules[] = {
    // v1, v3, v6, v7, v8, v10, v11, v12
    {create_prev_events, refuses, {"1.1", "1.1", "1.1", "1.1", "1.1", "1.1", "1.1", "1.1"}},
    {create_domain, refuses, {"1.2", "1.2", "1.2", "1.2", "1.2", "1.2", "1.2", ""}},
    {create_room_id, refuses, {"", "", "", "", "", "", "", "1.2"}},
    {create_version, refuses, {"1.3", "1.3", "1.3", "1.3", "1.3", "1.3", "1.3", "1.3"}},
    {create_creator, refuses, {"1.4", "1.4", "1.4", "1.4", "1.4", "1.4", "", ""}},
    {create_additional_creators, refuses, {"", "", "", "", "", "", "", "1.4"}},
    {create_otherwise, allows, {"1.5", "1.5", "1.5", "1.5", "1.5", "1.5", "1.4", "1.5"}},
    {room_id, refuses, {"", "", "", "", "", "", "", "2"}},
    {auth_events_duplicate, refuses, {"2.1", "2.1", "2.1", "2.1", "2.1", "2.1", "2.1", "3.1"}},
    {auth_events_selection, refuses, {"2.2", "2.2", "2.2", "2.2", "2.2", "2.2", "2.2", "3.2"}},
    {auth_events_rejected, refuses, {"2.3", "2.3", "2.3", "2.3", "2.3", "2.3", "2.3", "3.3"}},
    {auth_events_create, refuses, {"2.4", "2.4", "2.4", "2.4", "2.4", "2.4", "2.4", ""}},
    {auth_events_room, refuses, {"2.5", "2.5", "2.5", "2.5", "2.5", "2.5", "2.5", "3.4"}},
    {federate, refuses, {"3", "3", "3", "3", "3", "3", "3", "4"}},
    {aliases_state_key, refuses, {"4.1", "4.1", "", "", "", "", "", ""}},
    {aliases_domain, refuses, {"4.2", "4.2", "", "", "", "", "", ""}},
    {aliases_otherwise, allows, {"4.3", "4.3", "", "", "", "", "", ""}},
    {member_form, refuses, {"5.1", "5.1", "4.1", "4.1", "4.1", "4.1", "4.1", "5.1"}},
    {member_authoriser_signature, refuses, {"", "", "", "", "4.2.1", "4.2.1", "4.2.1", "5.2.1"}},
    {join_creator, allows, {"5.2.1", "5.2.1", "4.2.1", "4.2.1", "4.3.1", "4.3.1", "4.3.1", "5.3.1"}},
    {join_sender, refuses, {"5.2.2", "5.2.2", "4.2.2", "4.2.2", "4.3.2", "4.3.2", "4.3.2", "5.3.2"}},
    {join_banned, refuses, {"5.2.3", "5.2.3", "4.2.3", "4.2.3", "4.3.3", "4.3.3", "4.3.3", "5.3.3"}},
    {join_invited, allows, {"5.2.4", "5.2.4", "4.2.4", "4.2.4", "4.3.4", "4.3.4", "4.3.4", "5.3.4"}},
    {join_restricted_member, allows, {"", "", "", "", "4.3.5.1", "4.3.5.1", "4.3.5.1", "5.3.5.1"}},
    {join_restricted_authoriser, refuses, {"", "", "", "", "4.3.5.2", "4.3.5.2", "4.3.5.2", "5.3.5.2"}},
    {join_restricted_otherwise, allows, {"", "", "", "", "4.3.5.3", "4.3.5.3", "4.3.5.3", "5.3.5.3"}},
    {join_public, allows, {"5.2.5", "5.2.5", "4.2.5", "4.2.5", "4.3.6", "4.3.6", "4.3.6", "5.3.6"}},
    {join_otherwise, refuses, {"5.2.6", "5.2.6", "4.2.6", "4.2.6", "4.3.7", "4.3.7", "4.3.7", "5.3.7"}},
    {third_party_banned, refuses, {"5.3.1.1", "5.3.1.1", "4.3.1.1", "4.3.1.1", "4.4.1.1", "4.4.1.1", "4.4.1.1", "5.4.1.1"}},
    {third_party_signed, refuses, {"5.3.1.2", "5.3.1.2", "4.3.1.2", "4.3.1.2", "4.4.1.2", "4.4.1.2", "4.4.1.2", "5.4.1.2"}},
    {third_party_token, refuses, {"5.3.1.3", "5.3.1.3", "4.3.1.3", "4.3.1.3", "4.4.1.3", "4.4.1.3", "4.4.1.3", "5.4.1.3"}},
    {third_party_mxid, refuses, {"5.3.1.4", "5.3.1.4", "4.3.1.4", "4.3.1.4", "4.4.1.4", "4.4.1.4", "4.4.1.4", "5.4.1.4"}},
    {third_party_offer, refuses, {"5.3.1.5", "5.3.1.5", "4.3.1.5", "4.3.1.5", "4.4.1.5", "4.4.1.5", "4.4.1.5", "5.4.1.5"}},
    {third_party_sender, refuses, {"5.3.1.6", "5.3.1.6", "4.3.1.6", "4.3.1.6", "4.4.1.6", "4.4.1.6", "4.4.1.6", "5.4.1.6"}},
    {third_party_signature, allows, {"5.3.1.7", "5.3.1.7", "4.3.1.7", "4.3.1.7", "4.4.1.7", "4.4.1.7", "4.4.1.7", "5.4.1.7"}},
    {third_party_otherwise, refuses, {"5.3.1.8", "5.3.1.8", "4.3.1.8", "4.3.1.8", "4.4.1.8", "4.4.1.8", "4.4.1.8", "5.4.1.8"}},
    {invite_sender, refuses, {"5.3.2", "5.3.2", "4.3.2", "4.3.2", "4.4.2", "4.4.2", "4.4.2", "5.4.2"}},
    {invite_target, refuses, {"5.3.3", "5.3.3", "4.3.3", "4.3.3", "4.4.3", "4.4.3", "4.4.3", "5.4.3"}},
    {invite_level, allows, {"5.3.4", "5.3.4", "4.3.4", "4.3.4", "4.4.4", "4.4.4", "4.4.4", "5.4.4"}},
    {invite_otherwise, refuses, {"5.3.5", "5.3.5", "4.3.5", "4.3.5", "4.4.5", "4.4.5", "4.4.5", "5.4.5"}},
    {leave_own, settles, {"5.4.1", "5.4.1", "4.4.1", "4.4.1", "4.5.1", "4.5.1", "4.5.1", "5.5.1"}},
    {leave_sender, refuses, {"5.4.2", "5.4.2", "4.4.2", "4.4.2", "4.5.2", "4.5.2", "4.5.2", "5.5.2"}},
    {leave_unban, refuses, {"5.4.3", "5.4.3", "4.4.3", "4.4.3", "4.5.3", "4.5.3", "4.5.3", "5.5.3"}},
    {leave_kick, allows, {"5.4.4", "5.4.4", "4.4.4", "4.4.4", "4.5.4", "4.5.4", "4.5.4", "5.5.4"}},
    {leave_otherwise, refuses, {"5.4.5", "5.4.5", "4.4.5", "4.4.5", "4.5.5", "4.5.5", "4.5.5", "5.5.5"}},
    {ban_sender, refuses, {"5.5.1", "5.5.1", "4.5.1", "4.5.1", "4.6.1", "4.6.1", "4.6.1", "5.6.1"}},
    {ban_level, allows, {"5.5.2", "5.5.2", "4.5.2", "4.5.2", "4.6.2", "4.6.2", "4.6.2", "5.6.2"}},
    {ban_otherwise, refuses, {"5.5.3", "5.5.3", "4.5.3", "4.5.3", "4.6.3", "4.6.3", "4.6.3", "5.6.3"}},
    {knock_join_rule, refuses, {"", "", "", "4.6.1", "4.7.1", "4.7.1", "4.7.1", "5.7.1"}},
    {knock_sender, refuses, {"", "", "", "4.6.2", "4.7.2", "4.7.2", "4.7.2", "5.7.2"}},
    {knock_membership, allows, {"", "", "", "4.6.3", "4.7.3", "4.7.3", "4.7.3", "5.7.3"}},
    {knock_otherwise, refuses, {"", "", "", "4.6.4", "4.7.4", "4.7.4", "4.7.4", "5.7.4"}},
    {membership_unknown, refuses, {"5.6", "5.6", "4.6", "4.7", "4.8", "4.8", "4.8", "5.8"}},
    {sender_joined, refuses, {"6", "6", "5", "5", "5", "5", "5", "6"}},
    {third_party_invite_level, settles, {"7.1", "7.1", "6.1", "6.1", "6.1", "6.1", "6.1", "7.1"}},
    {required_level, refuses, {"8", "8", "7", "7", "7", "7", "7", "8"}},
    {own_state_key, refuses, {"9", "9", "8", "8", "8", "8", "8", "9"}},
    {levels_single_values, refuses, {"", "", "", "", "", "9.1", "9.1", "10.1"}},
    {levels_map_values, refuses, {"", "", "", "", "", "9.2", "9.2", "10.2"}},
    {levels_users_values, refuses, {"10.1", "10.1", "9.1", "9.1", "9.1", "9.3", "9.3", "10.3"}},
    {levels_creators, refuses, {"", "", "", "", "", "", "", "10.4"}},
    {levels_first, allows, {"10.2", "10.2", "9.2", "9.2", "9.2", "9.4", "9.4", "10.5"}},
    {levels_single_current, refuses, {"10.3.1", "10.3.1", "9.3.1", "9.3.1", "9.3.1", "9.5.1", "9.5.1", "10.6.1"}},
    {levels_single_new, refuses, {"10.3.2", "10.3.2", "9.3.2", "9.3.2", "9.3.2", "9.5.2", "9.5.2", "10.6.2"}},
    {levels_map_current, refuses, {"10.4.1", "10.4.1", "9.4.1", "9.4.1", "9.4.1", "9.6.1", "9.6.1", "10.7.1"}},
    {levels_map_new, refuses, {"10.5.1", "10.5.1", "9.5.1", "9.5.1", "9.5.1", "9.7.1", "9.7.1", "10.8.1"}},
    {levels_users_current, refuses, {"10.6.1", "10.6.1", "9.6.1", "9.6.1", "9.6.1", "9.8.1", "9.8.1", "10.9.1"}},
    {levels_users_new, refuses, {"10.7.1", "10.7.1", "9.7.1", "9.7.1", "9.7.1", "9.9.1", "9.9.1", "10.10.1"}},
    {levels_otherwise, allows, {"10.8", "10.8", "9.8", "9.8", "9.8", "9.10", "9.10", "10.11"}},
    {redaction_level, allows, {"11.1", "", "", "", "", "", "", ""}},
    {redaction_domain, allows, {"11.2", "", "", "", "", "", "", ""}},
    {redaction_otherwise, refuses, {"11.3", "", "", "", "", "", "", ""}},
    {otherwise, allows, {"12", "11", "10", "10", "10", "10", "10", "11"}},
};
// clang-format on

static_assert(std::ranges::all_of(rules,
                                  [](const AuthRuleEntry& entry) {
                                    return &entry == &rules[static_cast<std::size_t>(entry.rule)];
                                  }),
              "number_of looks them up by their place");

}  // namespace

std::span<const AuthRuleEntry> all_auth_rules() {
  return rules;
}

std::string_view number_of(AuthRule rule, const RoomVersion& version) {
  return rules[static_cast<std::size_t>(rule)].numbers[static_cast<std::size_t>(version.auth)];
}

}  // namespace causeway
