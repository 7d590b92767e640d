// What a client gets when it has logged in or registered.
#pragma once

#include "client-api/client_api.hpp"

namespace causeway::client_api {

boost::json::object login_reply(const ClientApi& api, const Login& login);

// Logs a fresh account in, unless `body` says inhibit_login. `body` is that of /register.
Task<Result<http::Response>> registration_reply(ClientApi& api, UserId user, boost::json::object body);

}  // namespace causeway::client_api
