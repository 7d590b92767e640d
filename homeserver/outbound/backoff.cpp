#include "homeserver/outbound/backoff.hpp"

#include <algorithm>

namespace causeway::outbound {

namespace {
constexpr double spread = 0.2;
}

std::int64_t Backoff::next_ms(std::int64_t current_ms) const {
  if (current_ms <= 0) return std::min(first, most).count();
  return current_ms > most.count() / 2 ? most.count() : current_ms * 2;
}

Timestamp Backoff::retry_at(Timestamp now, std::int64_t interval_ms, double chance) const {
  return now + interval_ms + static_cast<std::int64_t>(static_cast<double>(interval_ms) * spread * chance);
}

std::int64_t Backoff::left_ms(Timestamp retry_at, Timestamp now) const {
  const Timestamp left = retry_at - now;
  const auto longest = static_cast<Timestamp>(static_cast<double>(most.count()) * (1 + spread));
  return left > longest ? 0 : std::max<Timestamp>(left, 0);
}

}  // namespace causeway::outbound
