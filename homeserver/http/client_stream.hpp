// A client's byte stream, plain or TLS. The choice is made at run time, so that everything above is compiled once.
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <memory>
#include <string_view>

#include "homeserver/http/tls_stream.hpp"

namespace causeway::http {

class ClientStream {
 public:
  using executor_type = asio::any_io_executor;
  using TlsContext = std::shared_ptr<asio::ssl::context>;

  // `tls` is nullptr for plain connections.
  ClientStream(asio::ip::tcp::socket socket, TlsContext tls) : socket_(std::move(socket)), context_(std::move(tls)) {
    if (context_) tls_ = std::make_unique<TlsStream>(socket_, *context_);
    boost::system::error_code ignored;
    socket_.non_blocking(true, ignored);  // for write_at_once(); asynchronous operations don't care
  }
  ClientStream(const ClientStream&) = delete;
  ClientStream& operator=(const ClientStream&) = delete;

  executor_type get_executor() { return socket_.get_executor(); }
  asio::ip::tcp::socket& socket() { return socket_; }
  TlsStream* tls() { return tls_.get(); }

  template <class Buffers, class Token>
  auto async_read_some(const Buffers& buffers, Token&& token) {
    return asio::async_initiate<Token, void(boost::system::error_code, std::size_t)>(ReadSome{this}, token, buffers);
  }
  template <class Buffers, class Token>
  auto async_write_some(const Buffers& buffers, Token&& token) {
    return asio::async_initiate<Token, void(boost::system::error_code, std::size_t)>(WriteSome{this}, token, buffers);
  }

  // Takes off the front what can be written without waiting, and says whether that was all. What fails will fail again
  // when it is written asynchronously.
  bool write_at_once(std::string_view& bytes) {
    if (tls_) return false;
    boost::system::error_code error;
    const std::size_t written = socket_.write_some(asio::buffer(bytes), error);
    if (!error) bytes.remove_prefix(written);
    return bytes.empty();
  }

 private:
  struct ReadSome {
    ClientStream* self;
    template <class Handler, class Buffers>
    void operator()(Handler&& handler, const Buffers& buffers) const {
      if (self->tls_)
        self->tls_->async_read_some(buffers, std::forward<Handler>(handler));
      else
        self->socket_.async_read_some(buffers, std::forward<Handler>(handler));
    }
  };
  struct WriteSome {
    ClientStream* self;
    template <class Handler, class Buffers>
    void operator()(Handler&& handler, const Buffers& buffers) const {
      if (self->tls_)
        self->tls_->async_write_some(buffers, std::forward<Handler>(handler));
      else
        self->socket_.async_write_some(buffers, std::forward<Handler>(handler));
    }
  };

  asio::ip::tcp::socket socket_;
  TlsContext context_;  // kept while the connection lives: a reload replaces the listener's
  std::unique_ptr<TlsStream> tls_;
};

}  // namespace causeway::http
