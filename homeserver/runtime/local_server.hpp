// This server, as others know it.
#pragma once

#include "schema/crypto/crypto.hpp"
#include "schema/matrix/ids.hpp"

namespace causeway {

struct LocalServer {
  ServerName name;
  crypto::SigningKey key;

  bool hosts(const UserId& user) const { return user.server() == name.str(); }
};

}  // namespace causeway
