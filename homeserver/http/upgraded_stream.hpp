// A connection that speaks another protocol from now on (RFC 9110, 7.8): bytes in both directions.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "schema/async/task.hpp"

namespace causeway::http {

// Belongs to the connection; gone when the function that it was given to has ended.
class UpgradedStream {
 public:
  virtual ~UpgradedStream() = default;
  // What has come, at least a byte; empty: the client is gone, the server ends, or nothing came in this time.
  virtual Task<std::string> read(std::chrono::milliseconds within) = 0;
  // False: the client takes nothing any more. The bytes outlive the call.
  virtual Task<bool> write(std::string_view bytes) = 0;
  // Wakes who reads. From anywhere on the reactor.
  virtual void close() = 0;
};

}  // namespace causeway::http
