// Accounts made by whoever holds a shared secret, the way tools know it from Synapse: a nonce from the server, and a
// MAC over it and the account.
#pragma once

#include <chrono>
#include <deque>
#include <optional>
#include <string>
#include <utility>

#include "homeserver/runtime/clock.hpp"
#include "schema/matrix/error.hpp"

namespace causeway {

class SharedSecretRegistration {
 public:
  // An empty secret: not offered.
  SharedSecretRegistration(const Clock& clock, std::string secret) : clock_(clock), secret_(std::move(secret)) {}
  bool offered() const { return !secret_.empty(); }

  std::string new_nonce();

  struct Request {
    std::string nonce, username, password;
    bool admin = false;
    std::optional<std::string> user_type;
    std::string mac;  // lower-case hex
  };
  // Uses the nonce up. M_UNKNOWN 400: the nonce is not known or has expired; M_FORBIDDEN: the MAC is wrong.
  Result<> verify(const Request& request);

 private:
  bool use_nonce(const std::string& nonce);

  const Clock& clock_;
  const std::string secret_;
  std::deque<std::pair<std::string, std::chrono::steady_clock::time_point>>
      nonces_;  // with when they expire; oldest first
};

}  // namespace causeway
