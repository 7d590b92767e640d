#include "homeserver/stream/written.hpp"

#include "schema/matrix/assert.hpp"

namespace causeway {

MatrixError Written::error() const {
  CAUSEWAY_ASSERT(failure_);
  switch (*failure_) {
    case WriteFailure::duplicate_transaction:
      return make_error(ErrorCode::unknown, 409, "This transaction identifier was used before.");
    case WriteFailure::alias_taken:
      return make_error(ErrorCode::room_in_use, "The room alias is taken.");
    case WriteFailure::stale_head:
      return make_error(ErrorCode::unknown, 503, "The room changed while this was being written; try again.");
    case WriteFailure::unavailable: {
      auto error = make_error(ErrorCode::unknown, 503, "The database is not available; try again later.");
      error.extra["retry_after_ms"] = 2000;
      return error;
    }
    case WriteFailure::refused:
      break;
  }
  return make_error(ErrorCode::unknown, "The server could not store this.");
}

Written::operator Result<>() const {
  return failure_ ? Result<>(error()) : Result<>();
}

}  // namespace causeway
