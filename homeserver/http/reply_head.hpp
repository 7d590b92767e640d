// A reply's status line and headers as bytes.
#pragma once

#include <chrono>

#include "homeserver/http/message.hpp"

namespace causeway::http {

struct ReplyFraming {
  bool keep_alive = true;
  bool http_1_0 = false;
  std::string request_id = {};
};

// None: it shows at the end only, so the body is chunked; for HTTP/1.0 the connection's end is its end.
std::optional<std::uint64_t> content_length(const Response& response);

// Status line and headers up to and with the empty line, those for browsers among them. Content-Length is the body's.
std::string reply_head(const Response& response, const ReplyFraming& framing,
                       std::chrono::system_clock::time_point date);

}  // namespace causeway::http
