#include "homeserver/http/rate_limiter.hpp"

#include <cmath>

#include "homeserver/runtime/memory_use.hpp"

namespace causeway::http {

RateLimiter::Bucket& RateLimiter::bucket(const std::string& key, std::chrono::steady_clock::time_point now) {
  if (const auto found = by_key_.find(key); found != by_key_.end()) {
    buckets_.splice(buckets_.begin(), buckets_, found->second);
    return buckets_.front();
  }
  bytes_ += key_bytes + heap_bytes(key);
  while (bytes_ > max_bytes_ && !buckets_.empty()) {
    bytes_ -= key_bytes + heap_bytes(buckets_.back().key);
    by_key_.erase(buckets_.back().key);
    buckets_.pop_back();
  }
  buckets_.push_front(Bucket{key, std::max(limit_.burst, 1.0), now});
  by_key_.emplace(buckets_.front().key, buckets_.begin());
  return buckets_.front();
}

std::optional<std::chrono::milliseconds> RateLimiter::take(const std::string& key,
                                                           std::chrono::steady_clock::time_point now) {
  if (limit_.per_second <= 0) return std::nullopt;
  Bucket& mine = bucket(key, now);
  const double seconds = std::chrono::duration<double>(now - mine.filled_at).count();
  mine.tokens = std::min(std::max(limit_.burst, 1.0), mine.tokens + seconds * limit_.per_second);
  mine.filled_at = now;
  if (mine.tokens >= 1) {
    mine.tokens -= 1;
    return std::nullopt;
  }
  return std::chrono::milliseconds(static_cast<std::int64_t>(std::ceil((1 - mine.tokens) / limit_.per_second * 1000)));
}

}  // namespace causeway::http
