// One TLS connection to another server: connect, exchange, exchange, ... The only user of Beast in this folder.
#pragma once

#include <boost/asio/ip/address.hpp>
#include <boost/asio/ssl/context.hpp>
#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "federation/discovery.hpp"
#include "homeserver/http/message.hpp"
#include "schema/async/task.hpp"
#include "schema/matrix/error.hpp"

namespace causeway::federation {

using Deadline = std::chrono::steady_clock::time_point;

struct OutboundRequest {
  http::Verb verb = http::Verb::get;
  std::string target;  // path and query, percent-encoded
  std::vector<std::pair<std::string, std::string>> headers = {};
  std::optional<std::string> json = {};  // body
  std::chrono::milliseconds timeout{30'000};
  std::size_t max_response_bytes = 1 << 20;
};

struct OutboundResponse {
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

class HttpsConnection {
 public:
  // Connects and verifies the certificate for target.tls_name. M_UNKNOWN 502 with the reason.
  static Task<Result<std::unique_ptr<HttpsConnection>>> connect(std::shared_ptr<asio::ssl::context> tls, Target target,
                                                                asio::ip::address address, Deadline deadline);
  ~HttpsConnection();
  HttpsConnection(const HttpsConnection&) = delete;
  HttpsConnection& operator=(const HttpsConnection&) = delete;

  // What went wrong with an exchange, and whether the peer may have seen the request's end.
  struct Failure {
    std::string reason;
    bool closed_before_reply = false;  // the usual fate of a kept-alive connection: worth one more try on a fresh one
  };
  using Outcome = boost::system::result<OutboundResponse, Failure>;
  Task<Outcome> exchange(OutboundRequest request, Deadline deadline);

  // False after a failure or when the peer wants it closed.
  bool reusable() const;

 private:
  struct Impl;
  explicit HttpsConnection(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

[[noreturn]] void throw_exception_from_error(const HttpsConnection::Failure& failure,
                                             const boost::source_location& where);

}  // namespace causeway::federation
