#include "homeserver/runtime/phase_timer.hpp"

#include <prometheus/histogram.h>

namespace causeway {

void PhaseTimer::end(const std::string& phase) {
  const auto now = std::chrono::steady_clock::now();
  const std::vector<double> buckets{0.001, 0.005, 0.02, 0.1, 0.5, 2, 10, 60};
  metrics_.histogram(name_, help_, buckets, {{"phase", phase}})
      .Observe(std::chrono::duration<double>(now - began_).count());
  began_ = now;
}

}  // namespace causeway
