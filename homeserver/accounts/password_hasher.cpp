#include "homeserver/accounts/password_hasher.hpp"

#include <algorithm>

namespace causeway {

PasswordHasher::PasswordHasher(CpuPool& cpu, crypto::PasswordCost cost)
    : cpu_(cpu), cost_(cost), decoy_(crypto::hash_password("", cost)) {}

Task<Result<std::string>> PasswordHasher::hash(std::string password) {
  const auto mine = co_await turn();
  if (!mine) co_return mine.error();
  auto work = [password = std::move(password), cost = cost_] { return crypto::hash_password(password, cost); };
  co_return co_await cpu_.run(std::move(work));
}

Task<Result<bool>> PasswordHasher::matches(std::string password, std::optional<std::string> hash) {
  const auto mine = co_await turn();
  if (!mine) co_return mine.error();
  auto work = [password = std::move(password), against = hash.value_or(decoy_)] {
    return crypto::verify_password(password, against);
  };
  const bool verified = co_await cpu_.run(std::move(work));
  co_return hash.has_value() && verified;
}

Task<Result<Lane::Turn>> PasswordHasher::turn() {
  const auto load = [](const Lane& lane) { return lane.waiting() + (lane.busy() ? 1 : 0); };
  auto entered = co_await std::ranges::min_element(lanes_, {}, load)->enter();
  if (entered) co_return std::move(*entered);
  MatrixError busy = make_error(ErrorCode::limit_exceeded, "Too many passwords are being checked. Try again soon.");
  busy.extra.emplace("retry_after_ms", 1000);
  co_return busy;
}

}  // namespace causeway
