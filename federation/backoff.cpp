#include "federation/backoff.hpp"

#include <algorithm>

namespace causeway::federation {

std::int64_t Backoff::next_ms(std::int64_t current_ms) const {
  if (current_ms <= 0) return std::min(first, most).count();
  return current_ms > most.count() / 2 ? most.count() : current_ms * 2;
}

Timestamp Backoff::retry_at(Timestamp now, std::int64_t interval_ms, double chance) const {
  return now + interval_ms + static_cast<std::int64_t>(static_cast<double>(interval_ms) * 0.2 * chance);
}

}  // namespace causeway::federation
