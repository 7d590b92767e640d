#include "federation/request_auth.hpp"

#include <prometheus/counter.h>

#include "federation/x_matrix.hpp"
#include "homeserver/outbound/connection.hpp"
#include "schema/json/foreign.hpp"

namespace causeway::federation {

namespace {

constexpr std::size_t max_credentials = 4;

// Checks one signature; runs on the CPU pool because bodies may be large.
struct SignatureCheck {
  std::string method, uri, body, public_key, destination;
  XMatrix credentials;

  bool operator()() const {
    std::optional<std::string> content;
    if (!body.empty()) {
      content = json::canonical_text(body);
      if (!content) return false;
    }
    const auto signature = crypto::base64_decode(credentials.signature);
    const auto bytes = signed_request_bytes(method, uri, credentials.origin, destination, content);
    return signature && crypto::verify(public_key, bytes, *signature);
  }
};

}  // namespace

MatrixError RequestAuth::refusal(const char* reason, std::string why) {
  metrics_
      .counter("federation_requests_refused_total", "Requests of other servers without valid credentials",
               {{"reason", reason}})
      .Increment();
  return make_error(ErrorCode::unauthorized, 401, std::move(why));
}

Task<Result<ServerName>> RequestAuth::authenticate_origin(const http::Request& request) {
  const auto header = request.header("authorization");
  auto parsed = parse_x_matrix(header);
  if (!parsed) co_return refusal("malformed", std::move(parsed.error().message));
  if (parsed->empty()) co_return refusal("no_credentials", "The request has no X-Matrix Authorization header.");
  if (parsed->size() > max_credentials)
    co_return refusal("malformed", "The request has too many Authorization headers.");
  auto origin = ServerName::parse(parsed->front().origin);
  for (const auto& credentials : *parsed) {
    if (!origin || credentials.origin != origin->str())
      co_return refusal("malformed", "origin must be one valid server name.");
    if (credentials.destination && *credentials.destination != self_.name.str())
      co_return refusal("destination", "The request is meant for another server.");
  }
  bool has_key = false;
  for (const auto& credentials : *parsed) {
    auto key = co_await keys_.request_key(*origin, credentials.key);
    if (!key) continue;
    has_key = true;
    SignatureCheck check;
    check.method = std::string(outbound::to_string(request.verb));
    check.uri = request.target;
    check.body = request.body;
    check.public_key = std::move(*key);
    check.destination = self_.name.str();
    check.credentials = credentials;
    if (co_await cpu_.run(std::move(check))) {
      seen_(*origin);
      co_return *origin;
    }
  }
  const auto& last = parsed->back();
  if (!has_key) co_return refusal("no_key", "No valid key " + last.key + " of " + last.origin + " could be found.");
  co_return refusal("signature", "The signature with key " + last.key + " of " + last.origin + " does not match.");
}

}  // namespace causeway::federation
