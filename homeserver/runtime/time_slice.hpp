// Long work on the reactor, in slices.
#pragma once

#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>

#include "homeserver/runtime/task.hpp"

namespace causeway {

class TimeSlice {
 public:
  // Lets others run if this has run for a while.
  Task<> give_way() {
    constexpr std::chrono::microseconds slice{1'000};
    if (std::chrono::steady_clock::now() - begun_ < slice) co_return;
    auto executor = co_await asio::this_coro::executor;
    co_await asio::post(executor, asio::use_awaitable);
    begun_ = std::chrono::steady_clock::now();
  }

 private:
  std::chrono::steady_clock::time_point begun_ = std::chrono::steady_clock::now();
};

}  // namespace causeway
