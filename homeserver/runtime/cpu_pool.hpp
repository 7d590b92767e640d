// Threads for work over a millisecond: Argon2id, bulk signature checks, state resolution, compression, large JSON.
// Work takes values and returns values.
#pragma once

#include <boost/asio/thread_pool.hpp>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <type_traits>

#include "schema/async/task.hpp"

namespace causeway {

class CpuPool {
 public:
  explicit CpuPool(unsigned threads) : pool_(threads) {}
  ~CpuPool() { pool_.join(); }

  // Runs `work()` on the pool; resumes the caller on its own executor. `work` is a named local moved in (see task.hpp).
  // What this gives can be awaited, once, or be made a Task.
  template <class Work>
  class Running;
  template <class Work>
  Running<Work> run(Work work) {
    return Running<Work>(pool_, std::move(work));
  }

 private:
  asio::thread_pool pool_;
};

// No coroutine: each use would be one of its own, to compile and to allocate.
template <class Work>
class CpuPool::Running {
 public:
  using R = std::invoke_result_t<Work&>;
  Running(asio::thread_pool& pool, Work work) : pool_(pool), shared_(std::make_shared<Shared>(std::move(work))) {}

  async::Chain* chain = nullptr;
  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> waiting) {
    // A function of one type for all: what is posted is compiled for each.
    const std::function<void()> job = [shared = shared_, caller = async::Resumption(chain, waiting)] {
      shared->run();
      caller.post();
    };
    asio::post(pool_, job);
  }
  R await_resume() {
    if (shared_->error) std::rethrow_exception(shared_->error);
    if constexpr (!std::is_void_v<R>) return std::move(*shared_->value);
  }

  operator Task<R>() && { return as_task(std::move(*this)); }

 private:
  struct Shared {
    explicit Shared(Work w) : work(std::move(w)) {}
    void run() {
      try {
        if constexpr (std::is_void_v<R>)
          work();
        else
          value.emplace(work());
      } catch (...) {
        error = std::current_exception();
      }
    }
    Work work;
    std::exception_ptr error;
    std::conditional_t<std::is_void_v<R>, char, std::optional<R>> value{};
  };
  static Task<R> as_task(Running running) { co_return co_await running; }

  asio::thread_pool& pool_;
  std::shared_ptr<Shared> shared_;
};

}  // namespace causeway
