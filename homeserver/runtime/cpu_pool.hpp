// Threads for work over a millisecond: Argon2id, bulk signature checks, state resolution, compression, large JSON.
// Work takes values and returns values.
#pragma once

#include <boost/asio/thread_pool.hpp>
#include <exception>
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
  template <class Work>
  Task<std::invoke_result_t<Work&>> run(Work work) {
    using R = std::invoke_result_t<Work&>;
    struct Shared {
      explicit Shared(Work w) : work(std::move(w)) {}
      Work work;
      std::exception_ptr error;
      std::conditional_t<std::is_void_v<R>, char, std::optional<R>> value{};
    };
    auto shared = std::make_shared<Shared>(std::move(work));
    auto start = [this, shared](async::Resumption caller) {
      asio::post(pool_, [shared, caller = std::move(caller)] {
        try {
          if constexpr (std::is_void_v<R>)
            shared->work();
          else
            shared->value.emplace(shared->work());
        } catch (...) {
          shared->error = std::current_exception();
        }
        caller.post();
      });
    };
    co_await suspend(std::move(start));
    if (shared->error) std::rethrow_exception(shared->error);
    if constexpr (!std::is_void_v<R>) co_return std::move(*shared->value);
  }

 private:
  asio::thread_pool pool_;
};

}  // namespace causeway
