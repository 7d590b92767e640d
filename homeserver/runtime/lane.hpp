// A lane: jobs that must not overlap, in the order they came. One thread is not atomic; every co_await lets others in.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>

#include "homeserver/runtime/task.hpp"
#include "schema/matrix/error.hpp"

namespace causeway {

// Reactor thread only. Lives as long as anything waits on it.
class Lane {
 public:
  explicit Lane(std::size_t max_waiting = 1024) : max_waiting_(max_waiting) {}
  Lane(const Lane&) = delete;
  Lane& operator=(const Lane&) = delete;

  // Gives the lane to the next waiter when destroyed.
  class Turn {
   public:
    Turn() = default;
    Turn(Turn&& other) noexcept : lane_(std::exchange(other.lane_, nullptr)) {}
    Turn& operator=(Turn&& other) noexcept {
      release();
      lane_ = std::exchange(other.lane_, nullptr);
      return *this;
    }
    ~Turn() { release(); }
    void release();

   private:
    friend class Lane;
    explicit Turn(Lane* lane) : lane_(lane) {}
    Lane* lane_ = nullptr;
  };

  // Waits for the turn. M_LIMIT_EXCEEDED (429) at once when too many wait already.
  Task<Result<Turn>> enter();

  bool busy() const { return held_; }
  std::size_t waiting() const { return waiting_.size(); }

 private:
  void leave();
  bool held_ = false;
  std::size_t max_waiting_;
  std::deque<std::shared_ptr<asio::steady_timer>> waiting_;
};

}  // namespace causeway
