#include "schema/db/tables/enums.hpp"

#include <array>

namespace causeway::db {

namespace {
constexpr std::array<std::string_view, 5> names = {"leave", "invite", "join", "knock", "ban"};
}

std::string_view to_string(Membership membership) {
  return names.at(static_cast<std::size_t>(membership));
}

std::optional<Membership> parse_membership(std::string_view text) {
  for (std::size_t i = 0; i < names.size(); ++i)
    if (names[i] == text) return static_cast<Membership>(i);
  return std::nullopt;
}

}  // namespace causeway::db
