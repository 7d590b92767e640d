#include "federation/request_auth.hpp"

#include "federation/https_connection.hpp"
#include "federation/x_matrix.hpp"
#include "schema/json/canonical.hpp"

namespace causeway::federation {

namespace {

constexpr std::size_t max_credentials = 4;

MatrixError unauthorized(std::string why) {
  return make_error(ErrorCode::unauthorized, 401, std::move(why));
}

// Checks one signature; runs on the CPU pool because bodies may be large.
struct SignatureCheck {
  std::string method, uri, body, public_key;
  XMatrix credentials;

  bool operator()() const {
    std::optional<std::string> content;
    if (!body.empty()) {
      auto parsed = json::parse(body);
      if (!parsed) return false;
      content = json::canonical(*parsed);
    }
    const auto signature = crypto::base64_decode(credentials.signature);
    const auto bytes = signed_request_bytes(method, uri, credentials.origin, credentials.destination, content);
    return signature && crypto::verify(public_key, bytes, *signature);
  }
};

}  // namespace

Task<Result<ServerName>> RequestAuth::authenticate_origin(const http::Request& request) {
  auto parsed = parse_x_matrix(request.header("authorization"));
  if (!parsed) co_return parsed.error();
  if (parsed->size() > max_credentials) co_return unauthorized("The request has too many Authorization headers.");
  auto refusal = unauthorized("The request has no X-Matrix header that can be checked.");
  for (auto& credentials : *parsed) {
    auto origin = ServerName::parse(credentials.origin);
    if (!origin || credentials.origin != parsed->front().origin)
      co_return unauthorized("origin must be one valid server name.");
    if (credentials.destination && *credentials.destination != self_.name.str())
      co_return unauthorized("The request is meant for another server.");
    auto key = co_await keys_.request_key(*origin, credentials.key);
    if (!key) {
      refusal = unauthorized("No valid key " + credentials.key + " of " + origin->str() + " could be found.");
      continue;
    }
    SignatureCheck check;
    check.method = std::string(to_string(request.verb));
    check.uri = request.target;
    check.body = request.body;
    check.public_key = std::move(*key);
    check.credentials = credentials;
    if (co_await cpu_.run(std::move(check))) {
      seen_(*origin);
      co_return *origin;
    }
    refusal = unauthorized("The signature with key " + credentials.key + " of " + origin->str() + " does not match.");
  }
  co_return refusal;
}

}  // namespace causeway::federation
