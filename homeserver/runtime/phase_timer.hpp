// How long the steps of something slow take: a histogram for each.
#pragma once

#include <chrono>
#include <string>

#include "homeserver/runtime/metrics.hpp"

namespace causeway {

class PhaseTimer {
 public:
  PhaseTimer(Metrics& metrics, std::string name, std::string help)
      : metrics_(metrics), name_(std::move(name)), help_(std::move(help)), began_(std::chrono::steady_clock::now()) {}

  // What has passed since the last phase's end, or since this was made, was that phase.
  void end(const std::string& phase);

 private:
  Metrics& metrics_;
  std::string name_, help_;
  std::chrono::steady_clock::time_point began_;
};

// Of a join over federation.
inline PhaseTimer time_remote_join(Metrics& metrics) {
  return {metrics, "remote_join_seconds", "Time that joins over federation spent, by what they were doing"};
}

}  // namespace causeway
