// What servers read of users' own global account data. What a client stored badly counts for nothing.
#pragma once

#include <set>
#include <string>
#include <string_view>

#include "schema/matrix/ids.hpp"

namespace causeway {

inline constexpr std::string_view ignored_user_list_type = "m.ignored_user_list";
inline constexpr std::string_view invite_permission_config_type = "m.invite_permission_config";

// spec: client-server-api#ignoring-users
// NOTSPEC: nobody ignores themselves, whatever the list says: a client would not see what its user sends.
using IgnoredUsers = std::set<std::string, std::less<>>;
IgnoredUsers ignored_users(std::string_view ignored_user_list, const UserId& whose);

// spec: client-server-api#invite-permission
bool blocks_invites(std::string_view invite_permission_config);

}  // namespace causeway
