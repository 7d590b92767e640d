// A lane: jobs that must not overlap, in the order they came. One thread is not atomic; every co_await lets others in.
#pragma once

#include <cstddef>

#include "homeserver/runtime/concurrency.hpp"
#include "schema/matrix/error.hpp"

namespace causeway {

// Reactor thread only. Lives as long as anything waits on it.
class Lane {
 public:
  explicit Lane(std::size_t max_waiting) : max_waiting_(max_waiting) {}

  // Gives the lane to the next waiter when destroyed.
  using Turn = Gate::Place;

  // Waits for the turn. M_LIMIT_EXCEEDED (429) at once when too many wait already.
  Task<Result<Turn>> enter();

  bool busy() const { return gate_.full(); }
  std::size_t waiting() const { return gate_.waiting(); }

 private:
  std::size_t max_waiting_;
  Gate gate_{1};
};

}  // namespace causeway
