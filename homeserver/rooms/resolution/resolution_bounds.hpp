#pragma once

#include <cstddef>

namespace causeway {

// Beyond these the resolution of a state is not attempted; what needs it is refused.
struct ResolutionBounds {
  std::size_t graph_events = 2'000'000;  // of the room's auth graph that are looked at
  std::size_t judged_events = 100'000;   // that are in dispute
};

}  // namespace causeway
