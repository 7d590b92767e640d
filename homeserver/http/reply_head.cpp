#include "homeserver/http/reply_head.hpp"

#include <algorithm>
#include <boost/beast/http/status.hpp>
#include <ctime>
#include <stdexcept>

namespace causeway::http {
namespace {

// spec: client-server-api#web-browser-clients
constexpr std::string_view cors_headers =
    "Access-Control-Allow-Origin: *\r\n"
    "Access-Control-Allow-Methods: GET, HEAD, POST, PUT, DELETE, OPTIONS\r\n"
    "Access-Control-Allow-Headers: X-Requested-With, Content-Type, Authorization\r\n";

void append_header(std::string& out, std::string_view name, std::string_view value) {
  if (std::ranges::any_of(value, [](char c) { return c == '\r' || c == '\n' || c == '\0'; }))
    throw std::invalid_argument("a reply's header holds a line break: " + std::string(name));
  out.append(name).append(": ").append(value).append("\r\n");
}

// Most replies are written in the same second as the one before.
const std::string& http_date(std::chrono::system_clock::time_point at) {
  static thread_local std::time_t of = -1;
  static thread_local std::string date;
  const std::time_t seconds = std::chrono::system_clock::to_time_t(at);
  if (seconds == of) return date;
  of = seconds;
  std::tm utc{};
  gmtime_r(&seconds, &utc);
  char text[64];
  date.assign(text, std::strftime(text, sizeof(text), "%a, %d %b %Y %H:%M:%S GMT", &utc));
  return date;
}

}  // namespace

std::optional<std::uint64_t> content_length(const Response& response) {
  return response.source ? response.source->length() : response.body.size();
}

std::string reply_head(const Response& response, const ReplyFraming& framing,
                       std::chrono::system_clock::time_point date) {
  const auto reason = boost::beast::http::obsolete_reason(boost::beast::http::int_to_status(response.status));
  const bool has_content = response.status >= 200 && response.status != 204 && response.status != 304;
  std::string out;
  out.reserve(640);
  out.append("HTTP/1.1 ").append(std::to_string(response.status)).append(" ").append(reason).append("\r\n");
  append_header(out, "Date", http_date(date));
  if (has_content) {
    append_header(out, "Content-Type", response.content_type);
    if (const auto length = content_length(response))
      append_header(out, "Content-Length", std::to_string(*length));
    else if (!framing.http_1_0)
      append_header(out, "Transfer-Encoding", "chunked");
  }
  out.append(cors_headers);
  if (!framing.request_id.empty()) append_header(out, "X-Request-Id", framing.request_id);
  for (const auto& [name, value] : response.headers)
    append_header(out, name, value);
  if (response.upgraded) return out.append("\r\n");
  if (!framing.keep_alive)
    append_header(out, "Connection", "close");
  else if (framing.http_1_0)
    append_header(out, "Connection", "keep-alive");
  return out.append("\r\n");
}

}  // namespace causeway::http
