// Errors as the Matrix APIs know them, and the Result that carries them.
//
// An expected outcome that is not success is a MatrixError in a Result. Broken infrastructure (the database is gone, a
// system call failed) is an exception. A bug of ours is a failed CAUSEWAY_ASSERT.
#pragma once

#include <boost/json/object.hpp>
#include <boost/system/result.hpp>
#include <string>
#include <string_view>

namespace causeway {

// The codes of the Client-Server and Server-Server APIs that this server answers with.
// spec: client-server-api#common-error-codes, client-server-api#other-error-codes
enum class ErrorCode {
  bad_alias,
  bad_json,
  bad_state,
  exclusive,
  forbidden,
  guest_access_forbidden,
  incompatible_room_version,
  invalid_param,
  invalid_room_state,
  invalid_signature,
  invalid_username,
  invite_blocked,
  limit_exceeded,
  missing_param,
  missing_token,
  not_found,
  not_json,
  resource_limit_exceeded,
  room_in_use,
  too_large,
  unable_to_authorise_join,
  unable_to_grant_join,
  unauthorized,
  unknown,
  unknown_token,
  unrecognized,
  unsupported_room_version,
  user_deactivated,
  user_in_use,
  user_locked,
  user_suspended,
  weak_password,
};

struct ErrorCodeInfo {
  ErrorCode code;
  std::string_view name;    // "M_FORBIDDEN"
  unsigned default_status;  // HTTP status unless the endpoint's description names another
};

const ErrorCodeInfo& info(ErrorCode code);

// What a client or a peer gets to see. `message` is for people and never holds internals.
struct MatrixError {
  ErrorCode code = ErrorCode::unknown;
  unsigned status = 500;
  std::string message;
  boost::json::object extra = {};  // further members of the reply's body, e.g. "room_version"

  // {"errcode": ..., "error": ..., extra...}
  boost::json::object body() const;
};

MatrixError make_error(ErrorCode code, std::string message);
MatrixError make_error(ErrorCode code, unsigned status, std::string message);

template <class T = void>
using Result = boost::system::result<T, MatrixError>;

// Called by Result::value() on an error: always a bug of the caller, who did not look first.
[[noreturn]] void throw_exception_from_error(const MatrixError& error, const boost::source_location& where);

}  // namespace causeway
