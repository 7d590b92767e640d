// The form of state that this server itself reads. Other servers' events may have any: what can't be read is as if it
// were absent. Of its own users this server takes nothing that it, or another, would read differently from what they
// meant.
#pragma once

#include <boost/json/object.hpp>
#include <string_view>

#include "schema/events/room_version.hpp"
#include "schema/matrix/error.hpp"

namespace causeway {

// M_BAD_JSON when a member has a wrong type. Members may be absent, and there may be others.
Result<> check_state_content(const RoomVersion& version, std::string_view type, std::string_view state_key,
                             const boost::json::object& content);

// The same of POST /createRoom's creation_content.
Result<> check_creation_content(const boost::json::object& content);

}  // namespace causeway
