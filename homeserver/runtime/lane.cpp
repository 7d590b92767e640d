#include "homeserver/runtime/lane.hpp"

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace causeway {

Task<Result<Lane::Turn>> Lane::enter() {
  if (!held_) {
    held_ = true;
    co_return Turn(this);
  }
  if (waiting_.size() >= max_waiting_)
    co_return make_error(ErrorCode::limit_exceeded, "Too many requests are waiting for this room.");
  // A timer that never expires is asio's condition variable: cancelling it hands over the turn.
  auto executor = co_await asio::this_coro::executor;
  auto woken = std::make_shared<asio::steady_timer>(executor, asio::steady_timer::time_point::max());
  waiting_.push_back(woken);
  boost::system::error_code ignored;
  co_await woken->async_wait(asio::redirect_error(asio::use_awaitable, ignored));
  co_return Turn(this);
}

void Lane::leave() {
  if (waiting_.empty()) {
    held_ = false;
    return;
  }
  auto next = std::move(waiting_.front());
  waiting_.pop_front();
  next->cancel();
}

void Lane::Turn::release() {
  if (Lane* lane = std::exchange(lane_, nullptr)) lane->leave();
}

}  // namespace causeway
