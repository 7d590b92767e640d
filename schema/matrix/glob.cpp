#include "schema/matrix/glob.hpp"

namespace causeway {

namespace {

// Goes back to the last star alone, so the time is at most pattern times text.
template <class SameCharacter>
bool matches(std::string_view pattern, std::string_view text, SameCharacter same) {
  std::size_t p = 0, t = 0;
  std::size_t star = std::string_view::npos, star_text = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      star_text = t;
    } else if (p < pattern.size() && same(pattern[p], text[t])) {
      ++p;
      ++t;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      t = ++star_text;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*')
    ++p;
  return p == pattern.size();
}

}  // namespace

bool glob_matches(std::string_view pattern, std::string_view text) {
  return matches(pattern, text, [](char p, char t) { return p == '?' || p == t; });
}

bool wildcard_matches(std::string_view pattern, std::string_view text) {
  return matches(pattern, text, [](char p, char t) { return p == t; });
}

}  // namespace causeway
