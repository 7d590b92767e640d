#include "homeserver/http/request_reader.hpp"

#include <boost/beast/core/string.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>

namespace causeway::http {
namespace {

namespace beast_http = boost::beast::http;
using boost::system::error_code;

constexpr std::size_t body_chunk_bytes = 64 * 1024;
constexpr std::size_t small_body_bytes = 4 * 1024;

Verb verb_of(beast_http::verb verb) {
  switch (verb) {
    case beast_http::verb::get:
      return Verb::get;
    case beast_http::verb::post:
      return Verb::post;
    case beast_http::verb::put:
      return Verb::put;
    case beast_http::verb::delete_:
      return Verb::delete_;
    case beast_http::verb::options:
      return Verb::options;
    case beast_http::verb::head:
      return Verb::head;
    default:
      return Verb::other;
  }
}

// RFC 9112, 3.2.2: a request to a proxy names the whole URL, and servers accept that too.
std::string origin_form(std::string_view target) {
  if (target.starts_with('/')) return std::string(target);
  const std::size_t scheme_end = target.find("://");
  if (scheme_end == std::string_view::npos) return std::string(target);
  const std::size_t path = target.find('/', scheme_end + 3);
  return path == std::string_view::npos ? "/" : std::string(target.substr(path));
}

void copy_headers(const beast_http::fields& fields, Request& request) {
  for (const auto& field : fields) {
    std::string name(field.name_string());
    // ASCII alone, as in all of HTTP: looking up a locale for each would cost more than the rest of this.
    for (char& c : name)
      if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    auto& value = request.headers[std::move(name)];
    if (!value.empty()) value += ", ";
    value += std::string_view(field.value());
  }
}

// Where a proxy in front of us might see other borders between requests than we do, there is no request.
// RFC 9112, 3.2 (Host), 6.1 (Transfer-Encoding)
error_code check_framing(const beast_http::request<beast_http::string_body>& message) {
  const auto hosts = message.count(beast_http::field::host);
  if (hosts > 1 || (hosts == 0 && message.version() >= 11)) return beast_http::error::bad_field;
  // A blank inside comes from a folded line, which may hide another header from us.
  if (message[beast_http::field::host].find_first_of(" \t,") != std::string_view::npos)
    return beast_http::error::bad_field;
  const auto codings = message.count(beast_http::field::transfer_encoding);
  if (codings == 0) return {};
  const std::string_view coding = message[beast_http::field::transfer_encoding];
  const bool understood = codings == 1 && message.version() >= 11 && boost::beast::iequals(coding, "chunked");
  return understood ? error_code() : beast_http::error::bad_transfer_encoding;
}

}  // namespace

struct RequestReader::Parser : beast_http::request_parser<beast_http::string_body> {
  // Of what has been read; need_more if that does not suffice. Saves what an asynchronous read costs, even of nothing.
  error_code take(boost::beast::flat_buffer& buffer) {
    error_code error = beast_http::error::need_more;
    if (buffer.size() > 0) buffer.consume(put(buffer.data(), error));
    return error;
  }
};

RequestReader::RequestReader(ClientStream& stream, boost::beast::flat_buffer& buffer, std::size_t max_header_bytes)
    : stream_(stream), buffer_(buffer), parser_(std::make_unique<Parser>()) {
  parser_->header_limit(static_cast<std::uint32_t>(max_header_bytes));
  parser_->body_limit(boost::none);  // limit_body() sets it once the endpoint is known
}
RequestReader::~RequestReader() = default;

Task<error_code> RequestReader::read_header(Request& request) {
  error_code error = parser_->take(buffer_);
  if (error == beast_http::error::need_more)
    co_await beast_http::async_read_header(stream_, buffer_, *parser_, into(error));
  if (error) co_return error;
  const auto& message = parser_->get();
  // Copied now: the trailers of a chunked body are later added to the same fields, and must not count.
  request.verb = verb_of(message.method());
  request.target = origin_form(message.target());
  copy_headers(message, request);
  co_return check_framing(message);
}

bool RequestReader::keep_alive() const {
  return parser_->keep_alive();
}
bool RequestReader::http_1_0() const {
  return parser_->get().version() < 11;
}
bool RequestReader::has_unread_body() const {
  return !parser_->is_done();
}

std::optional<std::uint64_t> RequestReader::announced_length() const {
  const auto length = parser_->content_length();
  return length ? std::optional<std::uint64_t>(*length) : std::nullopt;
}

bool RequestReader::expects_continue() const {
  return boost::beast::iequals(parser_->get()[beast_http::field::expect], "100-continue");
}

error_code RequestReader::limit_body(std::uint64_t bytes) {
  const auto announced = parser_->content_length();
  // The parser itself checks a Content-Length only before this limit is known, and chunks only after.
  if (announced && *announced > bytes) return beast_http::error::body_limit;
  parser_->body_limit(bytes);
  parser_->eager(true);
  if (!announced || *announced > small_body_bytes) buffer_.reserve(body_chunk_bytes);
  return {};
}

Task<error_code> RequestReader::read_some_body() {
  error_code error = parser_->take(buffer_);
  if (error == beast_http::error::need_more)
    co_await beast_http::async_read_some(stream_, buffer_, *parser_, into(error));
  co_return error;
}

std::size_t RequestReader::body_bytes() const {
  return parser_->get().body().size();
}
std::string RequestReader::take_body() {
  return std::exchange(parser_->get().body(), {});
}

std::optional<MatrixError> read_error(const error_code& error) {
  const error_code any_http_error = beast_http::error::end_of_stream;
  if (error == asio::error::timed_out)
    return make_error(ErrorCode::unknown, 408, "The request did not arrive in time.");
  if (error == asio::error::no_memory) {
    auto full =
        make_error(ErrorCode::unknown, 503, "The server is receiving too much at the moment. Try again shortly.");
    full.extra["retry_after_ms"] = 2000;
    return full;
  }
  if (error.category() != any_http_error.category()) return std::nullopt;
  switch (static_cast<beast_http::error>(error.value())) {
    case beast_http::error::end_of_stream:
    case beast_http::error::partial_message:
      return std::nullopt;
    case beast_http::error::header_limit:
    case beast_http::error::buffer_overflow:
      return make_error(ErrorCode::too_large, 431, "The request's header is too large.");
    case beast_http::error::body_limit:
      return make_error(ErrorCode::too_large, 413, "The request's body is larger than this endpoint accepts.");
    default:
      return make_error(ErrorCode::unknown, 400, "This is not an HTTP/1.1 request: " + error.message() + ".");
  }
}

}  // namespace causeway::http
