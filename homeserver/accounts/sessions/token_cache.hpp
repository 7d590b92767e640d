// Whose access tokens are, as far as it is known without asking the database.
#pragma once

#include <cstdint>
#include <cstring>
#include <unordered_map>

#include "homeserver/accounts/requester.hpp"
#include "homeserver/runtime/bounded_cache.hpp"
#include "schema/crypto/crypto.hpp"

namespace causeway {

// One thread only.
class TokenCache {
 public:
  // nullptr: ask the database. Valid until the next call.
  const Requester* find(const crypto::Sha256& token_hash) {
    const Known* known = tokens_.find(token_hash);
    if (!known) return nullptr;
    const auto ended = ended_.find(known->requester.user_nid);
    if (ended != ended_.end() && known->at < ended->second) return nullptr;
    return &known->requester;
  }

  // As read from the database; `as_of` is version() from before the reading.
  std::uint64_t version() const { return tokens_.version(); }
  void put_as_of(std::uint64_t as_of, const crypto::Sha256& token_hash, Requester requester) {
    tokens_.put_as_of(as_of, token_hash, Known{std::move(requester), now_});
  }

  // Some tokens of the user may be none any more.
  void forget(UserNid user) {
    ended_[user] = ++now_;
    // Reading that is under way must not be kept.
    tokens_.erase(crypto::Sha256{});
    if (ended_.size() <= max_users_ended) return;
    ended_.clear();
    tokens_.clear();
  }

 private:
  static constexpr std::size_t max_bytes = 32 << 20;
  static constexpr std::size_t max_users_ended = 10'000;

  // A hash is as random as it gets: its first bytes do.
  struct HashOfHash {
    std::size_t operator()(const crypto::Sha256& hash) const noexcept {
      std::size_t first = 0;
      std::memcpy(&first, hash.data(), sizeof first);
      return first;
    }
  };
  struct Known {
    Requester requester;
    std::uint64_t at = 0;
  };

  std::uint64_t now_ = 0;  // counts what has ended
  BoundedCache<crypto::Sha256, Known, HashOfHash> tokens_{max_bytes, [](const crypto::Sha256&, const Known& known) {
                                                            return heap_bytes(known.requester.user.str()) +
                                                                   heap_bytes(known.requester.device_id);
                                                          }};
  std::unordered_map<UserNid, std::uint64_t> ended_;  // users, and when tokens of theirs last did
};

}  // namespace causeway
