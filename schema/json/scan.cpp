#include "schema/json/scan.hpp"

#include <boost/json/parse.hpp>
#include <charconv>

#include "schema/matrix/assert.hpp"

namespace causeway::json {

namespace {

// The position after the string whose opening quote is at `at`.
std::size_t skip_string(std::string_view text, std::size_t at) {
  CAUSEWAY_ASSERT(at < text.size() && text[at] == '"');
  for (++at;; at += 2) {  // past an escape and what it escapes
    at = text.find_first_of("\"\\", at);
    CAUSEWAY_ASSERT(at != std::string_view::npos);
    if (text[at] == '"') return at + 1;
  }
}

// The position after the value that begins at `at`.
std::size_t skip_value(std::string_view text, std::size_t at) {
  std::size_t depth = 0;
  while (at < text.size()) {
    switch (text[at]) {
      case '"':
        at = skip_string(text, at);
        if (depth == 0) return at;
        continue;
      case '{':
      case '[':
        ++depth;
        break;
      case '}':
      case ']':
        if (depth == 0) return at;  // end of what encloses a number or literal
        if (--depth == 0) return at + 1;
        break;
      case ',':
        if (depth == 0) return at;
        break;
      default:
        break;
    }
    ++at;
  }
  return at;
}

}  // namespace

MemberScanner::MemberScanner(std::string_view object_text) : text_(object_text) {
  CAUSEWAY_ASSERT(text_.size() >= 2 && text_.front() == '{' && text_.back() == '}');
  at_ = 1;
}

bool MemberScanner::next() {
  if (text_[at_] == ',') ++at_;
  if (text_[at_] == '}') return false;
  const std::size_t key_end = skip_string(text_, at_);
  key_ = text_.substr(at_ + 1, key_end - at_ - 2);
  CAUSEWAY_ASSERT(key_end < text_.size() && text_[key_end] == ':');
  const std::size_t value_end = skip_value(text_, key_end + 1);
  value_ = text_.substr(key_end + 1, value_end - key_end - 1);
  at_ = value_end;
  CAUSEWAY_ASSERT(at_ < text_.size());
  return true;
}

std::string decode_string(std::string_view quoted) {
  CAUSEWAY_ASSERT(quoted.size() >= 2 && quoted.front() == '"');
  if (quoted.find('\\') == std::string_view::npos) return std::string(quoted.substr(1, quoted.size() - 2));
  return std::string(boost::json::parse(quoted).as_string());
}

std::int64_t decode_int(std::string_view text) {
  std::int64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

std::vector<std::string> decode_string_array(std::string_view array_text) {
  std::vector<std::string> out;
  CAUSEWAY_ASSERT(array_text.size() >= 2 && array_text.front() == '[');
  std::size_t at = 1;
  while (array_text[at] == '"') {
    const std::size_t end = skip_string(array_text, at);
    out.push_back(decode_string(array_text.substr(at, end - at)));
    at = array_text[end] == ',' ? end + 1 : end;
  }
  return out;
}

}  // namespace causeway::json
