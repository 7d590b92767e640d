// One TLS connection to somebody else's HTTP server: connect, exchange, exchange, ...
#pragma once

#include <boost/asio/ip/address.hpp>
#include <boost/asio/ssl/context.hpp>
#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "homeserver/http/message.hpp"
#include "schema/async/task.hpp"
#include "schema/matrix/error.hpp"

namespace causeway::outbound {

using Deadline = std::chrono::steady_clock::time_point;

// One place to connect to.
struct Target {
  std::string host;  // DNS name or IP literal (IPv6 without brackets) to resolve and connect to
  std::uint16_t port = 0;
  std::string host_header;
  std::string tls_name;  // what the certificate must be for: DNS name, or IP literal (then no SNI)
  bool operator==(const Target&) const = default;
};

struct Request {
  http::Verb verb = http::Verb::get;
  std::string target;  // path and query, percent-encoded
  std::vector<std::pair<std::string, std::string>> headers = {};
  std::optional<std::string> json = {};  // body
  std::chrono::milliseconds timeout{30'000};
  std::size_t max_response_bytes = 1 << 20;
};

struct Response {
  unsigned status = 0;
  std::map<std::string, std::string, std::less<>> headers = {};  // names in lower case
  std::string body;

  std::string_view header(std::string_view lower_case_name) const;
};

// The names of the verbs as they go over the wire and are signed.
std::string_view to_string(http::Verb verb);

// Verification against the system's certificates and `extra_ca_pem`. Throws std::runtime_error when the PEM text is
// bad.
std::shared_ptr<asio::ssl::context> make_tls_context(const std::string& extra_ca_pem);

class Connection {
 public:
  // Connects and verifies the certificate for target.tls_name. M_UNKNOWN 502 with the reason.
  static Task<Result<std::unique_ptr<Connection>>> connect(std::shared_ptr<asio::ssl::context> tls, Target target,
                                                           asio::ip::address address, Deadline deadline);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // What went wrong with an exchange, and whether the peer may have seen the request's end.
  struct Failure {
    std::string reason;
    bool closed_before_reply = false;  // the usual fate of a kept-alive connection: worth one more try on a fresh one
  };
  using Outcome = boost::system::result<Response, Failure>;
  Task<Outcome> exchange(Request request, Deadline deadline);

  // False after a failure or when the peer wants it closed.
  bool reusable() const;

 private:
  struct Impl;
  explicit Connection(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

[[noreturn]] void throw_exception_from_error(const Connection::Failure& failure, const boost::source_location& where);

}  // namespace causeway::outbound
