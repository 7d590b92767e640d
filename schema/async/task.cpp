#include "schema/async/task.hpp"

#include <boost/asio/prefer.hpp>

namespace causeway {

namespace async {

Chain::Chain(asio::any_io_executor executor)
    : executor_(std::move(executor)), work_(asio::prefer(executor_, asio::execution::outstanding_work.tracked)) {}
Chain::~Chain() = default;

void* Promise::operator new(std::size_t bytes) {
  return ::operator new(bytes);
}
void Promise::operator delete(void* frame, std::size_t bytes) noexcept {
  ::operator delete(frame, bytes);
}

void Promise::go_on() noexcept {
  if (waiting_)
    waiting_.resume();
  else if (leads_)
    chain_->ended();
}

struct Resumption::State {
  ChainOwner chain;
  std::coroutine_handle<> waiting;
};

Resumption::Resumption(Chain* chain, std::coroutine_handle<> waiting)
    : state_(std::make_shared<State>(State{ChainOwner(chain), waiting})) {}

void Resumption::now() const {
  const std::coroutine_handle<> waiting = state_->waiting;
  state_->chain.release();
  waiting.resume();
}

void Resumption::post() const {
  // A copy: the chain may have ended before this returns.
  const asio::any_io_executor executor = state_->chain->executor();
  asio::post(executor, [again = *this] { again.now(); });
}

void start(ChainOwner chain) {
  const asio::any_io_executor executor = chain->executor();
  asio::dispatch(executor, [chain = std::move(chain)]() mutable { chain.release()->start(); });
}

}  // namespace async

Task<> expiry(asio::steady_timer& timer) {
  boost::system::error_code ignored;
  co_await timer.async_wait(into(ignored));
}

Task<> yield_once() {
  auto behind = [](async::Resumption caller) { caller.post(); };
  co_await suspend(std::move(behind));
}

}  // namespace causeway
