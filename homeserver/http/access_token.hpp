// Where a request carries its access token.
#pragma once

#include <optional>
#include <string>

#include "homeserver/http/message.hpp"

namespace causeway::http {

// None: the request has no token. spec: client-server-api#using-access-tokens
std::optional<std::string> access_token(const Request& request);

}  // namespace causeway::http
