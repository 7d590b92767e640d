// Reads one HTTP/1.1 request off a stream, within limits. Stricter than Beast where leniency lets requests be smuggled.
#pragma once

#include <boost/beast/core/flat_buffer.hpp>
#include <memory>

#include "homeserver/http/client_stream.hpp"
#include "homeserver/http/message.hpp"

namespace causeway::http {

class RequestReader {
 public:
  // `buffer` keeps what was read beyond this request.
  RequestReader(ClientStream& stream, boost::beast::flat_buffer& buffer, std::size_t max_header_bytes);
  ~RequestReader();

  // Fills verb, target and headers. Nothing is waited for where all of it is in the buffer.
  Task<boost::system::error_code> read_header(Request& request);

  // After the header:
  bool keep_alive() const;
  bool http_1_0() const;
  bool has_unread_body() const;
  std::optional<std::uint64_t> announced_length() const;
  bool expects_continue() const;
  // body_limit at once when the client announces more; otherwise reading stops with it.
  boost::system::error_code limit_body(std::uint64_t bytes);
  Task<boost::system::error_code> read_some_body();
  std::size_t body_bytes() const;
  // What has been read of the body since this was last called.
  std::string take_body();

 private:
  struct Parser;
  ClientStream& stream_;
  boost::beast::flat_buffer& buffer_;
  std::unique_ptr<Parser> parser_;
};

// What to tell a client whose request could not be read; nothing when there is nobody to tell.
std::optional<MatrixError> read_error(const boost::system::error_code& error);

}  // namespace causeway::http
