#include "schema/matrix/error.hpp"

#include <array>
#include <stdexcept>

#include "schema/matrix/assert.hpp"

namespace causeway {

namespace {

using enum ErrorCode;

// In the order of the enumeration.
constexpr std::array<ErrorCodeInfo, 32> table = {{
    {bad_alias, "M_BAD_ALIAS", 400},
    {bad_json, "M_BAD_JSON", 400},
    {bad_state, "M_BAD_STATE", 403},
    {exclusive, "M_EXCLUSIVE", 400},
    {forbidden, "M_FORBIDDEN", 403},
    {guest_access_forbidden, "M_GUEST_ACCESS_FORBIDDEN", 403},
    {incompatible_room_version, "M_INCOMPATIBLE_ROOM_VERSION", 400},
    {invalid_param, "M_INVALID_PARAM", 400},
    {invalid_room_state, "M_INVALID_ROOM_STATE", 400},
    {invalid_signature, "M_INVALID_SIGNATURE", 400},
    {invalid_username, "M_INVALID_USERNAME", 400},
    {invite_blocked, "M_INVITE_BLOCKED", 403},
    {limit_exceeded, "M_LIMIT_EXCEEDED", 429},
    {missing_param, "M_MISSING_PARAM", 400},
    {missing_token, "M_MISSING_TOKEN", 401},
    {not_found, "M_NOT_FOUND", 404},
    {not_json, "M_NOT_JSON", 400},
    {resource_limit_exceeded, "M_RESOURCE_LIMIT_EXCEEDED", 403},
    {room_in_use, "M_ROOM_IN_USE", 400},
    {too_large, "M_TOO_LARGE", 413},
    {unable_to_authorise_join, "M_UNABLE_TO_AUTHORISE_JOIN", 400},
    {unable_to_grant_join, "M_UNABLE_TO_GRANT_JOIN", 400},
    {unauthorized, "M_UNAUTHORIZED", 401},
    {unknown, "M_UNKNOWN", 500},
    {unknown_token, "M_UNKNOWN_TOKEN", 401},
    {unrecognized, "M_UNRECOGNIZED", 404},
    {unsupported_room_version, "M_UNSUPPORTED_ROOM_VERSION", 400},
    {user_deactivated, "M_USER_DEACTIVATED", 403},
    {user_in_use, "M_USER_IN_USE", 400},
    {user_locked, "M_USER_LOCKED", 401},
    {user_suspended, "M_USER_SUSPENDED", 403},
    {weak_password, "M_WEAK_PASSWORD", 400},
}};

constexpr bool in_order() {
  for (std::size_t i = 0; i < table.size(); ++i)
    if (table[i].code != static_cast<ErrorCode>(i)) return false;
  return true;
}
static_assert(in_order());

}  // namespace

const ErrorCodeInfo& info(ErrorCode code) {
  return table.at(static_cast<std::size_t>(code));
}

boost::json::object MatrixError::body() const {
  boost::json::object body;
  body["errcode"] = info(code).name;
  body["error"] = message;
  for (const auto& member : extra)
    body[member.key()] = member.value();
  return body;
}

MatrixError make_error(ErrorCode code, std::string message) {
  return make_error(code, info(code).default_status, std::move(message));
}

MatrixError make_error(ErrorCode code, unsigned status, std::string message) {
  return MatrixError{code, status, std::move(message), {}};
}

void throw_exception_from_error(const MatrixError& error, const boost::source_location& where) {
  throw std::logic_error("unexpected " + std::string(info(error.code).name) + " (" + error.message + ") at " +
                         where.file_name() + ":" + std::to_string(where.line()));
}

}  // namespace causeway
