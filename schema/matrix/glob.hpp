// Patterns.
#pragma once

#include <string_view>

namespace causeway {

// '*' matches any number of characters, '?' one. spec: appendices#glob-style-matching
bool glob_matches(std::string_view pattern, std::string_view text);

// '*' matches any number of characters, all else stands for itself. spec: client-server-api#filtering
bool wildcard_matches(std::string_view pattern, std::string_view text);

}  // namespace causeway
