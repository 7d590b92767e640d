// Requests and replies as handlers see them: no Beast here.
#pragma once

#include <boost/json/object.hpp>
#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "schema/json/json.hpp"
#include "schema/matrix/error.hpp"
#include "schema/matrix/ids.hpp"

namespace causeway::http {

enum class Verb { get, post, put, delete_, options, head, other };

// Who sends the request, put there by the pipeline's authentication before a handler runs.
struct Requester {
  UserNid user_nid{};
  UserId user;
  DeviceNid device_nid{};
  std::string device_id;
  bool is_admin = false;
};

struct Request {
  Verb verb = Verb::get;
  std::string target;                             // as sent, query included
  std::string path;                               // as sent (still percent-encoded), without the query
  std::vector<std::string> path_parameters;       // decoded, in the order of the endpoint's {placeholders}
  std::multimap<std::string, std::string> query;  // decoded
  std::map<std::string, std::string, std::less<>> headers;  // names in lower case
  std::string body;
  std::string remote_address;                     // the client's, behind configured proxies too
  std::string id;                                 // request id, for the log
  std::chrono::steady_clock::time_point deadline{};

  std::optional<Requester> requester;             // Auth::access_token
  std::optional<ServerName> origin;               // Auth::federation

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

  static Response json(const boost::json::object& object, unsigned status = 200);
  static Response json_text(std::string text, unsigned status = 200);  // already serialised
  static Response empty_object() { return Response{}; }
};

Response error_response(const MatrixError& error);

}  // namespace causeway::http
