// For paths with a {userId} that must be the requester's own.
#pragma once

#include "homeserver/http/message.hpp"

namespace causeway::client_api {

// M_FORBIDDEN when the path parameter names anybody else.
inline Result<> require_own_user(const http::Request& request, std::size_t parameter_index = 0) {
  if (request.path_parameter(parameter_index) != request.requester->user.str())
    return make_error(ErrorCode::forbidden, "This belongs to another user.");
  return {};
}

}  // namespace causeway::client_api
