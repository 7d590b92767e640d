// RFC 9110, 5.6.3: blanks and tabs around the elements of a header mean nothing.
#pragma once

#include <string_view>

namespace causeway::http {

inline std::string_view trim_whitespace(std::string_view text) {
  const auto first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

}  // namespace causeway::http
