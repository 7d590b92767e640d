// The server's side of TLS on a socket. OpenSSL reads from and writes to the socket itself: asio::ssl::stream keeps
// four buffers of 17 KiB for each connection, and most connections do nothing but wait.
#pragma once

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <boost/asio/buffer.hpp>
#include <boost/asio/compose.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/error.hpp>
#include <memory>
#include <stdexcept>

#include "schema/async/task.hpp"

namespace causeway::http {

// One operation at a time. Cancelled by cancelling or closing the socket, which outlives this.
class TlsStream {
 public:
  TlsStream(asio::ip::tcp::socket& socket, asio::ssl::context& context)
      : socket_(socket), ssl_(SSL_new(context.native_handle())) {
    if (!ssl_ || SSL_set_fd(ssl_.get(), socket.native_handle()) != 1) throw std::runtime_error("no TLS session");
    socket_.native_non_blocking(true);
    SSL_set_accept_state(ssl_.get());
    SSL_set_mode(ssl_.get(), SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  }

  // void(error_code, std::size_t), as the others; the number means nothing.
  template <class Token>
  auto async_handshake(Token&& token) {
    return start([](SSL* ssl, std::size_t&) { return SSL_do_handshake(ssl); }, std::forward<Token>(token));
  }
  // Sends the closing alert and does not wait for the client's.
  template <class Token>
  auto async_shutdown(Token&& token) {
    auto close = [](SSL* ssl, std::size_t&) {
      const int result = SSL_shutdown(ssl);
      return result == 0 ? 1 : result;
    };
    return start(close, std::forward<Token>(token));
  }
  template <class Buffers, class Token>
  auto async_read_some(const Buffers& buffers, Token&& token) {
    const asio::mutable_buffer into = first_of<asio::mutable_buffer>(buffers);
    auto read = [into](SSL* ssl, std::size_t& moved) {
      return into.size() == 0 ? 1 : SSL_read_ex(ssl, into.data(), into.size(), &moved);
    };
    return start(read, std::forward<Token>(token));
  }
  template <class Buffers, class Token>
  auto async_write_some(const Buffers& buffers, Token&& token) {
    const asio::const_buffer from = first_of<asio::const_buffer>(buffers);
    auto write = [from](SSL* ssl, std::size_t& moved) {
      return from.size() == 0 ? 1 : SSL_write_ex(ssl, from.data(), from.size(), &moved);
    };
    return start(write, std::forward<Token>(token));
  }

 private:
  using error_code = boost::system::error_code;

  // Tries a step of OpenSSL's until it neither wants to read nor to write.
  template <class Step>
  struct Operation {
    TlsStream& stream;
    Step step;
    bool is_first = true;
    bool is_over = false;
    error_code outcome{};
    std::size_t moved = 0;

    template <class Self>
    void operator()(Self& self, error_code error = {}) {
      if (is_over) return self.complete(outcome, moved);
      if (error) return self.complete(error, 0);
      const auto wait = stream.attempt(step, moved, outcome);
      const bool was_first = std::exchange(is_first, false);
      if (wait) return stream.socket_.async_wait(*wait, std::move(self));
      if (!was_first) return self.complete(outcome, moved);
      is_over = true;  // a handler is never called from where the operation is started
      asio::post(stream.socket_.get_executor(), std::move(self));
    }
  };

  template <class Step, class Token>
  auto start(Step step, Token&& token) {
    return asio::async_compose<Token, void(error_code, std::size_t)>(Operation<Step>{*this, step}, token, socket_);
  }

  // What to wait for before the next attempt; nothing when it is over.
  template <class Step>
  std::optional<asio::ip::tcp::socket::wait_type> attempt(Step& step, std::size_t& moved, error_code& outcome) {
    ERR_clear_error();
    errno = 0;
    const int result = step(ssl_.get(), moved);
    if (result > 0) return std::nullopt;
    switch (SSL_get_error(ssl_.get(), result)) {
      case SSL_ERROR_WANT_READ:
        return asio::ip::tcp::socket::wait_read;
      case SSL_ERROR_WANT_WRITE:
        return asio::ip::tcp::socket::wait_write;
      case SSL_ERROR_ZERO_RETURN:
        outcome = asio::error::eof;
        break;
      case SSL_ERROR_SYSCALL:
        outcome = errno != 0 ? error_code(errno, boost::system::system_category()) : asio::ssl::error::stream_truncated;
        break;
      default:
        outcome = error_code(static_cast<int>(ERR_get_error()), asio::error::get_ssl_category());
    }
    return std::nullopt;
  }

  template <class Buffer, class Buffers>
  static Buffer first_of(const Buffers& buffers) {
    for (auto it = asio::buffer_sequence_begin(buffers); it != asio::buffer_sequence_end(buffers); ++it)
      if (Buffer one(*it); one.size() > 0) return one;
    return Buffer();
  }

  struct Free {
    void operator()(SSL* ssl) const { SSL_free(ssl); }
  };
  asio::ip::tcp::socket& socket_;
  std::unique_ptr<SSL, Free> ssl_;
};

}  // namespace causeway::http
