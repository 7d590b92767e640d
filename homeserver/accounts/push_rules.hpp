// The push rules that a server provides.
//
// spec: client-server-api#predefined-rules
#pragma once

#include <boost/json/object.hpp>
#include <string_view>

#include "schema/matrix/ids.hpp"

namespace causeway {

// The content of m.push_rules for a user who has changed nothing.
boost::json::object default_push_rules(const UserId& user);

// The rule in such content; nullptr when there is none. `kind` is one of override, content, room, sender, underride.
const boost::json::object* find_push_rule(const boost::json::object& push_rules, std::string_view kind,
                                          std::string_view rule_id);

}  // namespace causeway
