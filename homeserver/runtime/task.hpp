// What asynchronous code is written in: coroutines on the one reactor thread.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

namespace causeway {

namespace asio = boost::asio;

// Traps (GCC 12): no capturing lambda, braced aggregate or co_await-holding aggregate initialisation inside a co_await
// expression; name it first and std::move it in. No string_view parameter survives a suspension: pass values.
template <class T = void>
using Task = asio::awaitable<T>;

}  // namespace causeway
