#include "homeserver/runtime/signal.hpp"

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace causeway {

Task<> Signal::wait() {
  auto executor = co_await asio::this_coro::executor;
  auto woken = std::make_shared<asio::steady_timer>(executor, asio::steady_timer::time_point::max());
  waiting_.push_back(woken);
  boost::system::error_code ignored;
  co_await woken->async_wait(asio::redirect_error(asio::use_awaitable, ignored));
}

void Signal::notify_all() {
  for (auto& timer : std::exchange(waiting_, {}))
    timer->cancel();
}

}  // namespace causeway
