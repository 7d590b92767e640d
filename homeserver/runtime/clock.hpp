// Time, injected so that tests can set it.
#pragma once

#include <chrono>

#include "schema/matrix/ids.hpp"

namespace causeway {

class Clock {
 public:
  virtual ~Clock() = default;
  virtual Timestamp now_ms() const = 0;                              // wall clock
  virtual std::chrono::steady_clock::time_point steady() const = 0;  // for intervals
};

class SystemClock final : public Clock {
 public:
  Timestamp now_ms() const override;
  std::chrono::steady_clock::time_point steady() const override { return std::chrono::steady_clock::now(); }
};

// Stands still until told.
class ManualClock final : public Clock {
 public:
  explicit ManualClock(Timestamp now = 1'700'000'000'000) : now_(now) {}
  Timestamp now_ms() const override { return now_; }
  std::chrono::steady_clock::time_point steady() const override {
    return std::chrono::steady_clock::time_point(std::chrono::milliseconds(now_));
  }
  void advance(std::chrono::milliseconds by) { now_ += by.count(); }

 private:
  Timestamp now_;
};

}  // namespace causeway
