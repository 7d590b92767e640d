#include "conformance/bench/client.hpp"

#include <boost/asio/connect.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/ssl.hpp>

#include "schema/json/json.hpp"

namespace causeway::bench {

namespace beast = boost::beast;
namespace http = beast::http;

namespace {

// For measurements on one machine: whatever certificate comes is good.
asio::ssl::context& any_certificate() {
  static asio::ssl::context context(asio::ssl::context::tls_client);
  return context;
}

}  // namespace

struct Client::Connection {
  explicit Connection(asio::any_io_executor executor, bool tls) : plain(executor) {
    if (tls) secure.emplace(plain, any_certificate());
  }
  beast::tcp_stream plain;
  std::optional<beast::ssl_stream<beast::tcp_stream&>> secure;
  beast::flat_buffer buffer;
};

Target Target::parse(const std::string& url) {
  Target target;
  target.tls = url.starts_with("https:");
  std::string rest = url.substr(url.find("//") + 2);
  rest = rest.substr(0, rest.find('/'));
  target.host = rest.substr(0, rest.find(':'));
  if (rest.find(':') != std::string::npos) target.port = rest.substr(rest.find(':') + 1);
  return target;
}

namespace {

// With a callback: Beast's TLS stream takes no completion token of ours.
template <class Stream>
Task<> handshake(Stream& stream) {
  boost::system::error_code failed;
  auto start = [&](async::Resumption caller) {
    stream.async_handshake(asio::ssl::stream_base::client, [&failed, caller](boost::system::error_code error) {
      failed = error;
      caller.now();
    });
  };
  co_await suspend(std::move(start));
  if (failed) throw boost::system::system_error(failed);
}

}  // namespace

Client::Client(asio::any_io_executor executor, Target target)
    : executor_(std::move(executor)), target_(std::move(target)) {}
Client::~Client() = default;

void Client::hang_up() {
  connection_.reset();
}

Task<> Client::connect() {
  asio::ip::tcp::resolver resolver(executor_);
  auto found = co_await resolver.async_resolve(target_.host, target_.port, use_task);
  auto fresh = std::make_unique<Connection>(executor_, target_.tls);
  co_await asio::async_connect(fresh->plain.socket(), found, use_task);
  fresh->plain.socket().set_option(asio::ip::tcp::no_delay(true));
  if (fresh->secure) co_await handshake(*fresh->secure);
  connection_ = std::move(fresh);
}

Task<std::string> Client::request(std::string method, std::string path, std::string body) {
  if (connection_) {
    // The server may have closed it while it was idle.
    try {
      co_return co_await ask(method, path, body);
    } catch (const boost::system::system_error&) {
      hang_up();
    }
  }
  co_await connect();
  co_return co_await ask(std::move(method), std::move(path), std::move(body));
}

Task<std::string> Client::ask(std::string method, std::string path, std::string body) {
  if (connection_->secure)
    co_return co_await exchange(*connection_->secure, std::move(method), std::move(path), std::move(body));
  co_return co_await exchange(connection_->plain, std::move(method), std::move(path), std::move(body));
}

template <class Stream>
Task<std::string> Client::exchange(Stream& stream, std::string method, std::string path, std::string body) {
  http::request<http::string_body> request(http::string_to_verb(method), path, 11);
  request.set(http::field::host, target_.host);
  if (!token_.empty()) request.set(http::field::authorization, "Bearer " + token_);
  if (method != "GET") {
    request.set(http::field::content_type, "application/json");
    request.body() = std::move(body);
    request.prepare_payload();
  }
  co_await http::async_write(stream, request, use_task);
  http::response_parser<http::string_body> parser;
  parser.body_limit(512u << 20);
  co_await http::async_read(stream, connection_->buffer, parser, use_task);
  auto response = parser.release();
  if (!response.keep_alive()) connection_.reset();
  if (response.result_int() != 200)
    throw std::runtime_error(method + " " + path + ": " + std::to_string(response.result_int()) + " " +
                             response.body());
  co_return std::move(response.body());
}

Task<boost::json::object> Client::json(std::string method, std::string path, boost::json::object body) {
  std::string text = co_await request(std::move(method), std::move(path), boost::json::serialize(body));
  co_return causeway::json::parse_object(text).value();
}

Task<> Client::log_in_fresh(std::string name) {
  boost::json::object body{{"username", name}, {"password", "bench password"}};
  body["auth"] = boost::json::object{{"type", "m.login.dummy"}};
  auto reply = co_await json("POST", "/_matrix/client/v3/register", std::move(body));
  token_ = reply.at("access_token").as_string();
  user_ = reply.at("user_id").as_string();
}

std::string percent_encode(const std::string& text) {
  static constexpr char hex[] = "0123456789ABCDEF";
  std::string out;
  for (const unsigned char c : text) {
    if (std::isalnum(c) || c == '-' || c == '_' || c == '.' || c == '~') {
      out += static_cast<char>(c);
    } else {
      out += '%';
      out += hex[c >> 4];
      out += hex[c & 15];
    }
  }
  return out;
}

}  // namespace causeway::bench
