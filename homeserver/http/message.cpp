#include "homeserver/http/message.hpp"

#include <boost/json/serialize.hpp>

namespace causeway::http {

void Disconnect::notify(std::function<void()> callback) {
  if (happened_)
    callback();
  else
    callback_ = std::move(callback);
}

void Disconnect::signal() {
  if (std::exchange(happened_, true)) return;
  if (auto callback = std::exchange(callback_, nullptr)) callback();
}

std::optional<std::string> Request::query_parameter(std::string_view name) const {
  // lower_bound, because find() may give any of several
  const auto found = query.lower_bound(std::string(name));
  if (found == query.end() || found->first != name) return std::nullopt;
  return found->second;
}

std::string_view Request::header(std::string_view lower_case_name) const {
  const auto found = headers.find(lower_case_name);
  return found == headers.end() ? std::string_view() : std::string_view(found->second);
}

Result<boost::json::object> Request::json_object(bool empty_is_object) const {
  if (body.empty() && empty_is_object) return boost::json::object();
  // spec: client-server-api#api-standards: the body is JSON whatever its Content-Type says
  return json::parse_object(body);
}

Response Response::stream(std::string type, BodySourcePtr from) {
  Response response;
  response.content_type = std::move(type);
  response.body.clear();
  response.source = std::move(from);
  return response;
}

Response Response::json(const boost::json::object& object, unsigned status) {
  return json_text(boost::json::serialize(object), status);
}

Response Response::json_text(std::string text, unsigned status) {
  Response response;
  response.status = status;
  response.body = std::move(text);
  return response;
}

Response error_response(const MatrixError& error) {
  auto response = Response::json(error.body(), error.status);
  // spec: client-server-api#rate-limiting
  if (const auto* wait_ms = error.extra.if_contains("retry_after_ms"); wait_ms && wait_ms->is_int64())
    response.headers.emplace_back("Retry-After", std::to_string((wait_ms->as_int64() + 999) / 1000));
  return response;
}

}  // namespace causeway::http
