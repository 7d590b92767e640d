#include "homeserver/runtime/signal.hpp"

#include <boost/asio/steady_timer.hpp>

namespace causeway {

Task<> Signal::wait() {
  auto executor = co_await asio::this_coro::executor;
  auto woken = std::make_shared<asio::steady_timer>(executor, asio::steady_timer::time_point::max());
  waiting_.push_back(woken);
  co_await expiry(*woken);
}

void Signal::notify_all() {
  for (auto& timer : std::exchange(waiting_, {}))
    timer->cancel();
}

}  // namespace causeway
