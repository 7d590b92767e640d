// The signing keys of other servers: fetched from them, or when they don't answer from notaries, verified, and kept in
// the database and in memory.
//
// spec: server-server-api#retrieving-server-keys
#pragma once

#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "federation/server_keys.hpp"
#include "homeserver/runtime/clock.hpp"
#include "homeserver/runtime/local_server.hpp"
#include "schema/db/database.hpp"

namespace causeway::federation {

// What other servers say of their keys and those of others: a seam.
class KeySource {
 public:
  virtual ~KeySource() = default;
  // Of a server's own. spec: server-server-api#get_matrixkeyv2server
  virtual Task<Result<boost::json::object>> server_keys(ServerName server) = 0;
  // Of a server's, the documents that a notary has. spec: server-server-api#post_matrixkeyv2query
  virtual Task<Result<std::vector<boost::json::object>>> query_keys(ServerName notary, ServerName server) = 0;
};

class KeyRing {
 public:
  // `notaries` are trusted to tell the keys of servers that don't answer.
  KeyRing(db::Database& database, KeySource& source, const Clock& clock, const LocalServer& self,
          std::chrono::milliseconds own_validity, std::vector<ServerName> notaries = {});
  ~KeyRing();

  // Raw public keys; nothing when the server has no such key, it is not valid for the purpose, or it can't be had.
  // What is not known or no longer valid is fetched, at most once at a time and with growing pauses after failures.
  Task<std::optional<std::string>> request_key(ServerName server, std::string key_id);
  Task<std::optional<std::string>> event_key(ServerName server, std::string key_id, Timestamp origin_server_ts);

  boost::json::object own_keys() const;

  // For the notary endpoints: the server's documents as it published them, if they ever could be had. First the newest,
  // as far as possible valid until then; behind it earlier ones with keys that it no longer has. Ours for ourselves.
  // The server is asked again where none of them has a key that is wanted. Where too many wait already, what is here
  // must do.
  Task<std::vector<boost::json::object>> documents(ServerName server, Timestamp minimum_valid_until,
                                                   std::set<std::string> wanted_keys = {});

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace causeway::federation
