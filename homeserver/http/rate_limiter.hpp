// Token buckets by key, in a table of bounded size.
#pragma once

#include <chrono>
#include <list>
#include <optional>
#include <string>
#include <unordered_map>

#include "homeserver/http/server.hpp"

namespace causeway::http {

class RateLimiter {
 public:
  explicit RateLimiter(RateLimit limit, std::size_t max_bytes = 16 << 20) : limit_(limit), max_bytes_(max_bytes) {}

  // Takes one request out of the key's bucket; when it is empty, says how long to wait instead.
  // A full table forgets the key that asked longest ago: its bucket has refilled the most.
  std::optional<std::chrono::milliseconds> take(const std::string& key, std::chrono::steady_clock::time_point now);

  std::size_t size() const { return buckets_.size(); }
  // What a short key takes.
  static constexpr std::size_t key_bytes = 256;

 private:
  struct Bucket {
    std::string key;
    double tokens;
    std::chrono::steady_clock::time_point filled_at;
  };
  Bucket& bucket(const std::string& key, std::chrono::steady_clock::time_point now);

  RateLimit limit_;
  std::size_t max_bytes_;
  std::size_t bytes_ = 0;
  std::list<Bucket> buckets_;  // the latest to ask in front
  std::unordered_map<std::string_view, std::list<Bucket>::iterator> by_key_;
};

}  // namespace causeway::http
