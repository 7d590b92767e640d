// Bodies that are not in memory: they come piece by piece, as fast as they are taken.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "homeserver/runtime/cpu_pool.hpp"
#include "schema/async/task.hpp"

namespace causeway::http {

class BodySource {
 public:
  virtual ~BodySource() = default;
  // In bytes, where it is known before the end.
  virtual std::optional<std::uint64_t> length() const = 0;
  // The next piece, some 100 KiB at most; empty: that was all. Throws std::exception where the rest can't be had.
  virtual Task<std::string> read() = 0;
};
using BodySourcePtr = std::shared_ptr<BodySource>;

// A part of an open file, read on the pool. Closes the descriptor.
BodySourcePtr file_body(CpuPool& pool, int descriptor, std::uint64_t offset, std::uint64_t length);

}  // namespace causeway::http
