// Who types. spec: server-server-api#typing-notifications
#pragma once

#include "federation/edus/edus.hpp"

namespace causeway::federation {

inline constexpr std::string_view typing_edu_type = "m.typing";

std::string typing_edu(const RoomId& room, const UserId& user, bool typing);
Task<> receive_typing(Edus& edus, ServerName origin, boost::json::object content);

}  // namespace causeway::federation
