// Content codings of replies.
#pragma once

#include <string>
#include <string_view>

namespace causeway::http {

enum class Coding { identity, gzip, deflate };

std::string_view name(Coding coding);  // as in Content-Encoding

// The best coding that an Accept-Encoding header allows; RFC 9110, 12.5.3.
Coding choose_coding(std::string_view accept_encoding);

std::string compress(std::string_view body, Coding coding);

}  // namespace causeway::http
