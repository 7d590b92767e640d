// How long a destination that failed is left alone. Pure.
#pragma once

#include <chrono>
#include <cstdint>

#include "schema/matrix/ids.hpp"

namespace causeway::outbound {

struct Backoff {
  std::chrono::milliseconds first{2'000};
  std::chrono::milliseconds most{3'600'000};

  // The next interval after one of `current_ms` (0: none yet): doubles up to `most`.
  std::int64_t next_ms(std::int64_t current_ms) const;
  // When to try again: the interval and up to a fifth more, by `chance` in [0, 1), so that destinations spread out.
  Timestamp retry_at(Timestamp now, std::int64_t interval_ms, double chance) const;
  // How long that is from now. A time that is further away than any interval comes from a clock that has been set back
  // since, and is over.
  std::int64_t left_ms(Timestamp retry_at, Timestamp now) const;
};

}  // namespace causeway::outbound
