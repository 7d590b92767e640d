// Argon2id on the CPU pool, a bounded number at a time: each hash needs many megabytes, and other work shares the pool.
#pragma once

#include <array>
#include <optional>
#include <string>

#include "homeserver/runtime/cpu_pool.hpp"
#include "homeserver/runtime/lane.hpp"
#include "schema/crypto/crypto.hpp"
#include "schema/matrix/error.hpp"

namespace causeway {

class PasswordHasher {
 public:
  PasswordHasher(CpuPool& cpu, crypto::PasswordCost cost);

  // Both: M_LIMIT_EXCEEDED when too many wait already.
  Task<Result<std::string>> hash(std::string password);
  // Without a hash the answer is false, after as much work as with one.
  Task<Result<bool>> matches(std::string password, std::optional<std::string> hash);

 private:
  Task<Result<Lane::Turn>> turn();

  CpuPool& cpu_;
  const crypto::PasswordCost cost_;
  const std::string decoy_;
  std::array<Lane, 4> lanes_{Lane(64), Lane(64), Lane(64), Lane(64)};
};

}  // namespace causeway
