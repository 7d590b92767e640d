// Long work on the reactor, in slices.
#pragma once

#include <chrono>

#include "schema/async/task.hpp"

namespace causeway {

class TimeSlice {
 public:
  // Lets others run if this has run for a while.
  Task<> give_way() {
    constexpr std::chrono::microseconds slice{1'000};
    if (std::chrono::steady_clock::now() - begun_ < slice) co_return;
    co_await yield_once();
    begun_ = std::chrono::steady_clock::now();
  }

 private:
  std::chrono::steady_clock::time_point begun_ = std::chrono::steady_clock::now();
};

}  // namespace causeway
