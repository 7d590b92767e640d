// Signing keys of other servers.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "schema/matrix/ids.hpp"

namespace causeway::db {

class Connection;

struct RemoteKey {
  std::string key_id;
  std::string public_key;  // 32 raw bytes
  Timestamp valid_until_ts = 0;
  std::optional<Timestamp> expired_ts;
};

// Those of a server that are valid longest; the others are not kept.
inline constexpr int max_keys_of_server = 200;
std::vector<RemoteKey> load_remote_keys(Connection& connection, std::string_view server);

// Replaces what is there by the same key IDs.
void store_remote_keys(Connection& connection, std::string_view server, const std::vector<RemoteKey>& keys);

// The documents of its keys that a server published and that are kept, as JSON, the newest first.
std::vector<std::string> key_documents(Connection& connection, std::string_view server);
// Replaces them; there is at least one. Of servers that share no room with us, the latest so many have their documents
// and keys kept.
inline constexpr int max_documents_of_strangers = 1000;
void store_key_documents(Connection& connection, std::string_view server, std::span<const std::string> newest_first);

}  // namespace causeway::db
