// Keeps the calling thread busy for a while of its own processor time, however busy the machine is otherwise.
#pragma once

#include <chrono>
#include <ctime>

namespace causeway::test {

inline std::chrono::nanoseconds processor_time() {
  timespec used{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
  return std::chrono::seconds(used.tv_sec) + std::chrono::nanoseconds(used.tv_nsec);
}

inline void be_busy_for(std::chrono::nanoseconds time) {
  const auto end = processor_time() + time;
  while (processor_time() < end) {
  }
}

}  // namespace causeway::test
