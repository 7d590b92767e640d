// Requests and replies as handlers see them: no Beast here.
#pragma once

#include <boost/json/object.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "homeserver/accounts/requester.hpp"
#include "homeserver/http/body_source.hpp"
#include "homeserver/http/place.hpp"
#include "homeserver/http/upgraded_stream.hpp"
#include "schema/json/json.hpp"
#include "schema/matrix/error.hpp"
#include "schema/matrix/ids.hpp"

namespace causeway::http {

using causeway::Requester;

enum class Verb { get, post, put, delete_, options, head, other };

// Tells a long-polling handler that its client has gone, so that it can stop waiting. The others run to their end.
class Disconnect {
 public:
  // Calls `callback` once, on the reactor, when the client goes; at once if it has gone already. Forgotten when the
  // handler ends, so it may refer to the handler's locals.
  void notify(std::function<void()> callback);
  bool happened() const { return happened_; }

  // The server's side.
  void signal();
  void forget() { callback_ = nullptr; }

 private:
  std::function<void()> callback_;
  bool happened_ = false;
};

struct Request {
  Verb verb = Verb::get;
  std::string target;                             // as sent, query included
  std::string path;                               // as sent (still percent-encoded), without the query
  std::vector<std::string> path_parameters;       // decoded, in the order of the endpoint's {placeholders}
  std::multimap<std::string, std::string> query;  // decoded
  // Names in lower case. One that was sent several times holds all its values in their order, separated by ", "
  // (RFC 9110, 5.3).
  std::map<std::string, std::string, std::less<>> headers;
  std::string body;            // but of BodyUse::streamed
  BodySourcePtr incoming;      // of BodyUse::streamed, while the handler runs: nothing is read that it does not take
  std::string remote_address;  // the client's, behind configured proxies too
  std::string id;              // request id, for the log
  std::chrono::steady_clock::time_point deadline{};

  // Who sends it, put there by the pipeline's authentication before a handler runs.
  std::optional<Requester> requester;  // Auth::access_token
  std::optional<ServerName> origin;    // Auth::federation

  Disconnect disconnect;
  Place place;

  const std::string& path_parameter(std::size_t index) const { return path_parameters.at(index); }
  std::optional<std::string> query_parameter(std::string_view name) const;  // the first of this name
  std::string_view header(std::string_view lower_case_name) const;          // empty when absent

  // The body as a JSON object: M_NOT_JSON or M_BAD_JSON. An empty body counts as {} only if `empty_is_object`.
  Result<boost::json::object> json_object(bool empty_is_object = false) const;
};

struct Response {
  unsigned status = 200;
  std::string content_type = "application/json";
  std::string body = "{}";
  std::vector<std::pair<std::string, std::string>> headers = {};
  BodySourcePtr source = {};  // instead of `body`. If it ends early, or throws, so does the connection.
  // With status 101 and the headers that go with it: what the connection is for from then on.
  std::function<Task<>(UpgradedStream&)> upgraded = {};

  static Response json(const boost::json::object& object, unsigned status = 200);
  static Response json_text(std::string text, unsigned status = 200);  // already serialised
  static Response empty_object() { return Response{}; }
  static Response stream(std::string content_type, BodySourcePtr source);
};

// The only way from an error to a reply. `retry_after_ms` among the error's extra members also becomes a Retry-After
// header.
Response error_response(const MatrixError& error);

}  // namespace causeway::http
