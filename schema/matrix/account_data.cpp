#include "schema/matrix/account_data.hpp"

#include "schema/json/json.hpp"

namespace causeway {

IgnoredUsers ignored_users(std::string_view ignored_user_list, const UserId& whose) {
  IgnoredUsers users;
  const auto content = json::parse_object(ignored_user_list);
  if (!content) return users;
  if (const auto* ignored = json::find_object(*content, "ignored_users"))
    for (const auto& [user, details] : *ignored)
      if (user != whose.str()) users.emplace(user);
  return users;
}

bool blocks_invites(std::string_view invite_permission_config) {
  const auto content = json::parse_object(invite_permission_config);
  return content && json::find_string(*content, "default_action") == "block";
}

}  // namespace causeway
