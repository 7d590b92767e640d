// The key document that servers publish: made for us, read and verified for others. Pure.
//
// spec: server-server-api#publishing-keys
#pragma once

#include <boost/json/object.hpp>
#include <chrono>
#include <map>
#include <optional>
#include <string>

#include "homeserver/runtime/local_server.hpp"
#include "schema/matrix/error.hpp"
#include "schema/matrix/ids.hpp"

namespace causeway::federation {

struct VerifyKey {
  std::string public_key;  // 32 raw bytes
  Timestamp valid_until_ts = 0;
  std::optional<Timestamp> expired_ts = {};  // of old_verify_keys: good for events up to then, never for requests

  bool good_for_requests(Timestamp now) const { return !expired_ts && valid_until_ts >= now; }
  // spec: rooms/v5#signing-key-validity-period
  bool good_for_event(Timestamp origin_server_ts) const {
    return origin_server_ts <= expired_ts.value_or(valid_until_ts);
  }
};
using VerifyKeys = std::map<std::string, VerifyKey>;  // by key ID

// However long a server says its keys are valid, this is the most it gets.
inline constexpr std::chrono::hours max_key_validity{7 * 24};

boost::json::object own_server_keys(const LocalServer& self, Timestamp valid_until_ts);

// The keys in a document of `server`, which must be signed by one of its own verify_keys. M_UNAUTHORIZED else.
Result<VerifyKeys> read_server_keys(const boost::json::object& document, const ServerName& server, Timestamp now);

}  // namespace causeway::federation
