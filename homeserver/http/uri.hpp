// Percent-encoding and query strings, as strict as a server can afford: what decodes to anything but UTF-8 is refused.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace causeway::http {

bool is_utf8(std::string_view text);

// nullopt: a '%' without two hexadecimal digits, or bytes that are not UTF-8.
std::optional<std::string> percent_decode(std::string_view text);

// "a=1&b=x+y": '+' is a space, as browsers and every client library encode it. A name without '=' has an empty value.
std::optional<std::multimap<std::string, std::string>> parse_query(std::string_view query);

}  // namespace causeway::http
