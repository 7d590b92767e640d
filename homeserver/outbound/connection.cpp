#include "homeserver/outbound/connection.hpp"

#include <boost/asio/bind_executor.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/host_name_verification.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>
#include <boost/beast/ssl/ssl_stream.hpp>
#include <stdexcept>

#include "schema/matrix/assert.hpp"

namespace causeway::outbound {

namespace {

namespace beast = boost::beast;
namespace bhttp = boost::beast::http;
using Stream = beast::ssl_stream<beast::tcp_stream>;

constexpr std::size_t max_header_bytes = 32 * 1024;
constexpr const char* user_agent = "Causeway";

MatrixError unreachable(const Target& target, const std::string& reason) {
  return make_error(ErrorCode::unknown, 502, "No connection to " + target.host_header + ": " + reason);
}

bool is_ip_literal(const std::string& name) {
  boost::system::error_code error;
  asio::ip::make_address(name, error);
  return !error;
}

bhttp::verb to_beast(http::Verb verb) {
  switch (verb) {
    case http::Verb::get:
      return bhttp::verb::get;
    case http::Verb::post:
      return bhttp::verb::post;
    case http::Verb::put:
      return bhttp::verb::put;
    case http::Verb::delete_:
      return bhttp::verb::delete_;
    default:
      break;
  }
  CAUSEWAY_ASSERT(!"a verb that is sent");
  return bhttp::verb::unknown;
}

bhttp::request<bhttp::string_body> to_beast(Request& request, const std::string& host) {
  bhttp::request<bhttp::string_body> message(to_beast(request.verb), request.target, 11);
  message.set(bhttp::field::host, host);
  message.set(bhttp::field::user_agent, user_agent);
  message.set(bhttp::field::accept, "application/json");
  for (const auto& [name, value] : request.headers)
    message.set(name, value);
  if (request.json) {
    message.set(bhttp::field::content_type, "application/json");
    message.body() = std::move(*request.json);
  }
  message.prepare_payload();
  return message;
}

Response from_beast(bhttp::response<bhttp::string_body> message) {
  Response response;
  response.status = message.result_int();
  for (const auto& field : message) {
    std::string name(field.name_string());
    std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return std::tolower(c); });
    response.headers.emplace(std::move(name), std::string(field.value()));
  }
  response.body = std::move(message.body());
  return response;
}

// With a callback: Beast's TLS stream takes no completion token of ours.
Task<> handshake(Stream& stream, asio::any_io_executor executor, boost::system::error_code& error) {
  auto start = [&](async::Resumption caller) {
    auto done = [&error, caller](const boost::system::error_code& e) {
      error = e;
      caller.now();
    };
    stream.async_handshake(asio::ssl::stream_base::client, asio::bind_executor(executor, std::move(done)));
  };
  co_await suspend(std::move(start));
}

}  // namespace

std::string_view Response::header(std::string_view lower_case_name) const {
  const auto found = headers.find(lower_case_name);
  return found == headers.end() ? std::string_view{} : std::string_view(found->second);
}

std::string_view to_string(http::Verb verb) {
  const auto name = bhttp::to_string(to_beast(verb));
  return {name.data(), name.size()};
}

std::shared_ptr<asio::ssl::context> make_tls_context(const std::string& extra_ca_pem) {
  auto tls = std::make_shared<asio::ssl::context>(asio::ssl::context::tls_client);
  SSL_CTX_set_min_proto_version(tls->native_handle(), TLS1_2_VERSION);
  tls->set_default_verify_paths();
  tls->set_verify_mode(asio::ssl::verify_peer);
  if (!extra_ca_pem.empty()) {
    boost::system::error_code error;
    tls->add_certificate_authority(asio::buffer(extra_ca_pem), error);
    if (error) throw std::runtime_error("the extra certificate authority is not valid PEM: " + error.message());
  }
  return tls;
}

struct Connection::Impl {
  Impl(const asio::any_io_executor& executor, std::shared_ptr<asio::ssl::context> context, Target to)
      : tls(std::move(context)), target(std::move(to)), stream(executor, *tls) {}
  std::shared_ptr<asio::ssl::context> tls;
  Target target;
  Stream stream;
  beast::flat_buffer buffer;
  bool reusable = true;
};

Connection::Connection(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
// The socket is closed without TLS's farewell: whoever is still waiting for us has been given its answer.
Connection::~Connection() = default;

bool Connection::reusable() const {
  return impl_->reusable;
}

Task<Result<std::unique_ptr<Connection>>> Connection::connect(std::shared_ptr<asio::ssl::context> tls, Target target,
                                                              asio::ip::address address, Deadline deadline) {
  auto executor = co_await asio::this_coro::executor;
  auto impl = std::make_unique<Impl>(executor, std::move(tls), target);
  auto& tcp = beast::get_lowest_layer(impl->stream);
  tcp.expires_at(deadline);
  const asio::ip::tcp::endpoint endpoint(address, target.port);
  boost::system::error_code refused, untrusted;
  co_await tcp.async_connect(endpoint, into(refused));
  if (refused) co_return unreachable(target, refused.message());
  tcp.socket().set_option(asio::ip::tcp::no_delay(true));

  // spec: server-server-api#tls: SNI unless the certificate is for an IP address.
  if (!is_ip_literal(target.tls_name)) SSL_set_tlsext_host_name(impl->stream.native_handle(), target.tls_name.c_str());
  impl->stream.set_verify_callback(asio::ssl::host_name_verification(target.tls_name));
  co_await handshake(impl->stream, executor, untrusted);
  if (untrusted) co_return unreachable(target, "TLS: " + untrusted.message());
  co_return std::unique_ptr<Connection>(new Connection(std::move(impl)));
}

Task<Connection::Outcome> Connection::exchange(Request request, Deadline deadline) {
  Impl& self = *impl_;
  self.reusable = false;
  beast::get_lowest_layer(self.stream).expires_at(deadline);
  const std::size_t limit = request.max_response_bytes;
  auto message = to_beast(request, self.target.host_header);
  boost::system::error_code unsent, failed;
  co_await bhttp::async_write(self.stream, message, into(unsent));
  if (unsent) co_return Failure{unsent.message(), unsent != beast::error::timeout};

  bhttp::response_parser<bhttp::string_body> parser;
  parser.header_limit(max_header_bytes);
  parser.body_limit(limit);
  co_await bhttp::async_read(self.stream, self.buffer, parser, into(failed));
  if (failed) co_return Failure{failed.message(), failed != beast::error::timeout && !parser.got_some()};

  self.reusable = parser.keep_alive();
  beast::get_lowest_layer(self.stream).expires_never();
  co_return from_beast(parser.release());
}

void throw_exception_from_error(const Connection::Failure& failure, const boost::source_location&) {
  throw std::logic_error("an outbound response was used without looking: " + failure.reason);
}

}  // namespace causeway::outbound
