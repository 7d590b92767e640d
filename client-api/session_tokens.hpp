// Access tokens of this server's users, for the HTTP server.
#pragma once

#include "homeserver/accounts/account_service.hpp"
#include "homeserver/http/server.hpp"

namespace causeway::client_api {

class SessionTokens final : public http::AccessTokenAuthenticator {
 public:
  explicit SessionTokens(AccountService& accounts) : accounts_(accounts) {}

  Task<std::optional<Result<http::Requester>>> authenticate_token(std::string token, const http::Request&) override {
    if (!AccountService::gives_out(token)) co_return std::nullopt;
    co_return co_await accounts_.authenticate_token(std::move(token));
  }

 private:
  AccountService& accounts_;
};

}  // namespace causeway::client_api
