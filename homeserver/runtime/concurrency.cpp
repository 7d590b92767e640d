#include "homeserver/runtime/concurrency.hpp"
#include "schema/log.hpp"

namespace causeway {

namespace {

struct Round {
  std::function<Task<>(std::size_t)> job;
  std::size_t count = 0;
  std::size_t next = 0;
  std::size_t running = 0;
  Flag done;
};

Task<> take_jobs(std::shared_ptr<Round> round) {
  while (round->next < round->count) {
    const std::size_t index = round->next++;
    try {
      co_await round->job(index);
    } catch (const std::exception& error) {
      log::error("a concurrent job failed: {}", error.what());
    } catch (...) {
      log::error("a concurrent job failed");
    }
  }
  if (--round->running == 0) round->done.set();
}

}  // namespace

void Flag::set() {
  set_ = true;
  changed_.notify_all();
}

Task<> Flag::wait() {
  if (!set_) co_await changed_.wait();
}

Task<Gate::Place> Gate::enter() {
  if (free_ > 0) {
    --free_;
    co_return Place(this);
  }
  // A timer that never expires is asio's condition variable: cancelling it hands over the place.
  auto executor = co_await asio::this_coro::executor;
  auto woken = std::make_shared<asio::steady_timer>(executor, asio::steady_timer::time_point::max());
  waiting_.push_back(woken);
  co_await expiry(*woken);
  co_return Place(this);
}

void Gate::Place::release() {
  if (Gate* gate = std::exchange(gate_, nullptr)) gate->leave();
}

void Gate::leave() {
  if (waiting_.empty()) {
    ++free_;
    return;
  }
  auto next = std::move(waiting_.front());
  waiting_.pop_front();
  next->cancel();
}

Task<> for_each_concurrently(std::size_t count, std::size_t at_once, std::function<Task<>(std::size_t)> job) {
  if (count == 0) co_return;
  auto executor = co_await asio::this_coro::executor;
  auto round = std::make_shared<Round>();
  round->job = std::move(job);
  round->count = count;
  round->running = std::min(count, at_once);
  const std::size_t workers = round->running;
  for (std::size_t i = 0; i < workers; ++i)
    spawn(executor, take_jobs(round), asio::detached);
  co_await round->done.wait();
}

}  // namespace causeway
