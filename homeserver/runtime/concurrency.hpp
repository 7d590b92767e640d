// Waiting for each other on the reactor thread: coroutines that want the same thing, or no more than so many at once.
#pragma once

#include <boost/asio/steady_timer.hpp>
#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <utility>

#include "homeserver/runtime/signal.hpp"
#include "schema/async/task.hpp"

namespace causeway {

// Something that happens once; everyone who waits for it is resumed.
class Flag {
 public:
  void set();
  Task<> wait();

 private:
  bool set_ = false;
  Signal changed_;
};

// At most so many at once; the others wait in order.
class Gate {
 public:
  explicit Gate(std::size_t places) : free_(places) {}
  Gate(const Gate&) = delete;
  Gate& operator=(const Gate&) = delete;

  // Gives the place back when destroyed. The gate must outlive it.
  class Place {
   public:
    Place() = default;
    Place(Place&& other) noexcept : gate_(std::exchange(other.gate_, nullptr)) {}
    Place& operator=(Place&& other) noexcept {
      release();
      gate_ = std::exchange(other.gate_, nullptr);
      return *this;
    }
    ~Place() { release(); }
    void release();

   private:
    friend class Gate;
    explicit Place(Gate* gate) : gate_(gate) {}
    Gate* gate_ = nullptr;
  };
  Task<Place> enter();
  bool full() const { return free_ == 0; }
  std::size_t waiting() const { return waiting_.size(); }

 private:
  void leave();
  std::size_t free_;
  std::deque<std::shared_ptr<asio::steady_timer>> waiting_;
};

// Runs job(0) ... job(count - 1), at most `at_once` at a time, and resumes when all have ended. An exception of a job
// ends that job only and is logged. `job` is a named local moved in.
Task<> for_each_concurrently(std::size_t count, std::size_t at_once, std::function<Task<>(std::size_t)> job);

}  // namespace causeway
