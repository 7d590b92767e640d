// Tables server_meta and signing_keys: which server this database belongs to, and the keys it signs with.
#pragma once

#include <string>

#include "schema/crypto/crypto.hpp"
#include "schema/db/database.hpp"
#include "schema/matrix/ids.hpp"

namespace causeway::db {

// Records the name at first use. Later another name is a std::runtime_error: every identifier in the database has it.
void claim_server_name(Connection& connection, const ServerName& name);

// The key in use; made at first use.
crypto::SigningKey load_or_make_signing_key(Connection& connection, Timestamp now);

}  // namespace causeway::db
