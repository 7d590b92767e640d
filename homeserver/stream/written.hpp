// What became of a unit that was handed to the writer.
#pragma once

#include <optional>

#include "schema/matrix/error.hpp"

namespace causeway {

// Why a unit was not committed.
enum class WriteFailure {
  refused,                // by the database, and will be again
  duplicate_transaction,  // its transaction identifier was used before
  alias_taken,
  stale_head,   // builds on a unit that failed
  unavailable,  // the database stayed away, or another process has become the writer
};

class Written {
 public:
  Written() = default;  // committed
  Written(WriteFailure failure) : failure_(failure) {}

  explicit operator bool() const { return !failure_; }
  std::optional<WriteFailure> failure() const { return failure_; }

  // For those who only tell a client.
  MatrixError error() const;  // of a failure
  operator Result<>() const;

 private:
  std::optional<WriteFailure> failure_;
};

}  // namespace causeway
