// What asynchronous code is written in: coroutines that run on one executor, mostly that of the reactor.
//
// A Task begins when it is awaited or spawned, and runs at once up to its first wait. It has no cancellation: what must
// end early is woken (a timer cancelled, a socket closed) and sees for itself. Tasks that await each other form a
// chain, which is destroyed from its first one on when what it waits for is destroyed, as at the end of the executor.
//
// Traps (GCC 12): no capturing lambda, braced aggregate or co_await-holding aggregate initialisation inside a co_await
// expression; name it first and std::move it in. No string_view parameter survives a suspension: pass values.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/system/system_error.hpp>
#include <coroutine>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <tuple>
#include <type_traits>
#include <utility>

namespace causeway {

namespace asio = boost::asio;

template <class T = void>
class Task;

// The completion tokens for Asio's operations in a Task: `co_await socket.async_accept(use_task)` gives what it
// completes with, and throws boost::system::system_error; with `into(error)` the error is put there.
struct use_task_t {
  boost::system::error_code* error = nullptr;
};
inline constexpr use_task_t use_task{};
inline use_task_t into(boost::system::error_code& error) {
  return use_task_t{&error};
}

namespace async {

// What was spawned, and where it runs. Owned by what it waits for; while it runs, by itself.
class Chain {
 public:
  explicit Chain(asio::any_io_executor executor);
  virtual ~Chain();
  Chain(const Chain&) = delete;
  Chain& operator=(const Chain&) = delete;

  const asio::any_io_executor& executor() const { return executor_; }
  virtual void start() = 0;
  virtual void ended() noexcept = 0;  // its first task; deletes the chain

 private:
  asio::any_io_executor executor_;
  asio::any_io_executor work_;  // the executor's context does not end meanwhile
};
using ChainOwner = std::unique_ptr<Chain>;

class Promise {
 public:
  static void* operator new(std::size_t bytes);
  static void operator delete(void* frame, std::size_t bytes) noexcept;

  struct Final {
    bool await_ready() const noexcept { return false; }
    template <class P>
    void await_suspend(std::coroutine_handle<P> ended) const noexcept {
      ended.promise().go_on();
    }
    void await_resume() const noexcept {}
  };
  std::suspend_always initial_suspend() const noexcept { return {}; }
  Final final_suspend() const noexcept { return {}; }
  void unhandled_exception() noexcept { error_ = std::current_exception(); }

  template <class T>
  auto await_transform(Task<T> task);
  auto await_transform(asio::this_coro::executor_t) noexcept;
  // Anything else says itself how it is awaited, and gets the chain: Operation and Suspension.
  template <class Awaiter>
  requires requires(Awaiter& awaiter) { awaiter.chain; }
  Awaiter&& await_transform(Awaiter&& awaiter) noexcept {
    awaiter.chain = chain_;
    return std::forward<Awaiter>(awaiter);
  }

  void belong_to(Chain* chain) { chain_ = chain; }
  void lead(Chain* chain) {
    chain_ = chain;
    leads_ = true;
  }
  void continue_with(std::coroutine_handle<> waiting) { waiting_ = waiting; }
  const std::exception_ptr& error() const { return error_; }

 protected:
  void rethrow() const {
    if (error_) std::rethrow_exception(error_);
  }

 private:
  // Whoever awaits is resumed if it had to suspend; otherwise it finds out that this is done.
  void go_on() noexcept;

  Chain* chain_ = nullptr;
  bool leads_ = false;               // the chain's first
  std::coroutine_handle<> waiting_;  // none: that one did not suspend
  std::exception_ptr error_;
};

template <class T>
class ValuePromise : public Promise {
 public:
  Task<T> get_return_object();
  template <class U = T>
  void return_value(U&& value) {
    value_.emplace(std::forward<U>(value));
  }
  T take() {
    rethrow();
    return std::move(*value_);
  }

 private:
  std::optional<T> value_;
};

template <>
class ValuePromise<void> : public Promise {
 public:
  Task<void> get_return_object();
  void return_void() const noexcept {}
  void take() const { rethrow(); }
};

// Resumes a coroutine, once. Copies are the same. Destroyed unused, it destroys the chain.
class Resumption {
 public:
  Resumption() = default;  // of nothing
  Resumption(Chain* chain, std::coroutine_handle<> waiting);
  void now() const;   // here, on the chain's executor
  void post() const;  // from any thread

 private:
  struct State;
  std::shared_ptr<State> state_;
};

template <class Start>
struct Suspension {
  Start start;
  Chain* chain = nullptr;
  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> waiting) {
    // It may end what holds this.
    Start begin = std::move(start);
    begin(Resumption(chain, waiting));
  }
  void await_resume() const noexcept {}
};

template <class... Values>
struct Completion {
  std::optional<std::tuple<Values...>> values;
};

// The handler of one of Asio's operations.
template <class... Values>
class Handler {
 public:
  Handler(Chain* chain, std::coroutine_handle<> waiting, Completion<Values...>& completion)
      : chain_(chain), waiting_(waiting), completion_(&completion) {}

  using executor_type = asio::any_io_executor;
  const executor_type& get_executor() const noexcept { return chain_->executor(); }
  void operator()(Values... values) {
    completion_->values.emplace(std::move(values)...);
    chain_.release();
    waiting_.resume();
  }

 private:
  ChainOwner chain_;
  std::coroutine_handle<> waiting_;
  Completion<Values...>* completion_;
};

template <class Initiation, class Arguments, class... Values>
struct Operation {
  Initiation initiation;
  Arguments arguments;
  boost::system::error_code* error = nullptr;  // none: it is thrown
  Chain* chain = nullptr;
  Completion<Values...> completion;

  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> waiting) {
    auto initiate = [&](auto&&... arguments_of) {
      std::move(initiation)(Handler<Values...>(chain, waiting, completion), std::move(arguments_of)...);
    };
    std::apply(initiate, std::move(arguments));
  }
  auto await_resume() {
    auto give = [this](auto&&... values) { return result(std::move(values)...); };
    return std::apply(give, std::move(*completion.values));
  }

 private:
  void result() const {}
  template <class First, class... Rest>
  auto result(First first, Rest... rest) const {
    if constexpr (std::is_same_v<First, boost::system::error_code>) {
      if (error)
        *error = first;
      else if (first)
        throw boost::system::system_error(first);
      return result(std::move(rest)...);
    } else if constexpr (sizeof...(Rest) == 0) {
      return first;
    } else {
      return std::tuple<First, Rest...>(std::move(first), std::move(rest)...);
    }
  }
};

}  // namespace async

template <class T>
class [[nodiscard]] Task {
 public:
  using promise_type = async::ValuePromise<T>;
  using value_type = T;
  using Handle = std::coroutine_handle<promise_type>;

  explicit Task(Handle handle) : handle_(handle) {}
  Task(Task&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
  Task& operator=(Task&& other) noexcept {
    std::swap(handle_, other.handle_);
    return *this;
  }
  ~Task() {
    if (handle_) handle_.destroy();
  }

  // For the machinery around it.
  Handle handle() const { return handle_; }

 private:
  Handle handle_;
};

namespace async {

template <class T>
Task<T> ValuePromise<T>::get_return_object() {
  return Task<T>(Task<T>::Handle::from_promise(*this));
}
inline Task<void> ValuePromise<void>::get_return_object() {
  return Task<void>(Task<void>::Handle::from_promise(*this));
}

// Begins the task, and suspends the caller only if the task does not end at once.
template <class T>
struct TaskAwaiter {
  Task<T> task;
  bool await_ready() {
    task.handle().resume();
    return task.handle().done();
  }
  void await_suspend(std::coroutine_handle<> waiting) { task.handle().promise().continue_with(waiting); }
  T await_resume() { return task.handle().promise().take(); }
};

struct ExecutorAwaiter {
  const asio::any_io_executor& executor;
  bool await_ready() const noexcept { return true; }
  void await_suspend(std::coroutine_handle<>) const noexcept {}
  asio::any_io_executor await_resume() const { return executor; }
};

template <class T>
auto Promise::await_transform(Task<T> task) {
  task.handle().promise().belong_to(chain_);
  return TaskAwaiter<T>{std::move(task)};
}
inline auto Promise::await_transform(asio::this_coro::executor_t) noexcept {
  return ExecutorAwaiter{chain_->executor()};
}

template <class T>
class FirstOfChain : public Chain {
 public:
  FirstOfChain(asio::any_io_executor executor, Task<T> task) : Chain(std::move(executor)), task_(std::move(task)) {
    task_.handle().promise().lead(this);
  }
  void start() override { task_.handle().resume(); }
  void ended() noexcept override { delete this; }

 protected:
  Task<T> task_;
};

// With what is called, on the executor, with the error and the result: a default one where there is an error.
template <class T, class OnEnd>
class Spawned final : public FirstOfChain<T> {
 public:
  Spawned(asio::any_io_executor executor, Task<T> task, OnEnd on_end)
      : FirstOfChain<T>(std::move(executor), std::move(task)), on_end_(std::move(on_end)) {}
  void ended() noexcept override {
    ChainOwner self(this);
    auto& promise = this->task_.handle().promise();
    std::exception_ptr error = promise.error();
    if constexpr (std::is_void_v<T>) {
      asio::post(this->executor(), [on_end = std::move(on_end_), error]() mutable { on_end(error); });
    } else {
      std::optional<T> value;
      if (!error) value.emplace(promise.take());
      asio::post(this->executor(), [on_end = std::move(on_end_), error, value = std::move(value)]() mutable {
        on_end(error, value ? std::move(*value) : T());
      });
    }
  }

 private:
  OnEnd on_end_;
};

void start(ChainOwner chain);

}  // namespace async

// Begins a task that nobody awaits: at once where this already is the executor. `on_end(std::exception_ptr, T)` is
// called when it has ended.
template <class T, class OnEnd>
void spawn(asio::any_io_executor executor, Task<T> task, OnEnd on_end) {
  async::start(std::make_unique<async::Spawned<T, OnEnd>>(std::move(executor), std::move(task), std::move(on_end)));
}
// What it throws is lost.
template <class T>
void spawn(asio::any_io_executor executor, Task<T> task, asio::detached_t) {
  async::start(std::make_unique<async::FirstOfChain<T>>(std::move(executor), std::move(task)));
}
template <class Context, class T, class OnEnd>
requires requires(Context& context) {
  context.get_executor();
}
void spawn(Context& context, Task<T> task, OnEnd on_end) {
  spawn(asio::any_io_executor(context.get_executor()), std::move(task), std::move(on_end));
}

// Suspends the caller; `start(async::Resumption)` is called once and sees to it that it is resumed. `start` is a named
// local moved in.
template <class Start>
async::Suspension<Start> suspend(Start start) {
  return async::Suspension<Start>{std::move(start)};
}

// Until it expires or is cancelled.
Task<> expiry(asio::steady_timer& timer);
// Behind what already waits to run.
Task<> yield_once();

}  // namespace causeway

template <class R, class... Values>
class boost::asio::async_result<causeway::use_task_t, R(Values...)> {
 public:
  template <class Initiation, class... Arguments>
  static auto initiate(Initiation initiation, causeway::use_task_t token, Arguments... arguments) {
    return causeway::async::Operation<Initiation, std::tuple<Arguments...>, Values...>{
        std::move(initiation), std::tuple<Arguments...>(std::move(arguments)...), token.error};
  }
};
