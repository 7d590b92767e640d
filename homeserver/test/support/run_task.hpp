// Runs a coroutine to its end on a reactor of its own, from a test.
#pragma once

#include <boost/asio/io_context.hpp>
#include <exception>
#include <optional>
#include <stdexcept>
#include <utility>

#include "schema/async/task.hpp"

namespace causeway::test {

// Returns what the task returns, throws what it throws.
template <class T>
T run_task(asio::io_context& reactor, Task<T> task) {
  std::optional<T> result;
  std::exception_ptr error;
  spawn(reactor, std::move(task), [&](std::exception_ptr e, T value) {
    error = e;
    if (!e) result.emplace(std::move(value));
  });
  reactor.restart();
  reactor.run();
  if (error) std::rethrow_exception(error);
  if (!result) throw std::logic_error("the task never ended");
  return std::move(*result);
}

inline void run_task(asio::io_context& reactor, Task<> task) {
  std::exception_ptr error;
  spawn(reactor, std::move(task), [&](std::exception_ptr e) { error = e; });
  reactor.restart();
  reactor.run();
  if (error) std::rethrow_exception(error);
}

}  // namespace causeway::test
