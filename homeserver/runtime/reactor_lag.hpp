// How much the reactor does before it comes to what is ready: a queue that the kernel keeps and that nobody can count.
#pragma once

#include <chrono>
#include <functional>
#include <memory>

#include "homeserver/runtime/metrics.hpp"
#include "schema/async/task.hpp"

namespace causeway {

// A measurement waits for a descriptor that is always readable. That puts it behind every socket that is ready by then,
// where a request stands that comes now, and its turn tells how long those took. (Posted work and timers would not do:
// the reactor fetches only so many ready sockets at a time, and they overtake the rest.)
//
// Lag is the processor time of the reactor's thread meanwhile, not all the time that went by. Doing less makes that
// shorter; what other processes take of the machine, or the disk of a handler that should not wait for it, stays.
//
// Belongs to the reactor thread.
class ReactorLag {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;
  using Duration = std::chrono::steady_clock::duration;
  using OnMeasured = std::function<void(TimePoint begun, TimePoint ended, Duration lag)>;

  ReactorLag(asio::any_io_executor executor, Metrics& metrics, OnMeasured on_measured);
  ~ReactorLag();

  // Something has come. Begins a measurement unless one is under way or has just been, so that a server at rest is
  // woken by none.
  void measure(TimePoint now);
  // As measured last, or what a measurement under way takes already if that is more. Of a burst that is over nothing is
  // left: zero if the last measurement ended a while before the one under way began, or before now if there is none.
  Duration lag(TimePoint now) const;

 private:
  struct Probe;
  std::shared_ptr<Probe> probe_;  // its handler may run once more after this is gone
};

}  // namespace causeway
