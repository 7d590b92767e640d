// Finding the members of a JSON object in its text without building a tree: for canonical JSON we stored ourselves.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace causeway::json {

// The text must be valid JSON without insignificant space (asserted where it matters). Views into `text`.
class MemberScanner {
 public:
  explicit MemberScanner(std::string_view object_text);

  // Advances to the next member; false at the end.
  bool next();
  std::string_view key() const { return key_; }      // raw, between the quotes: escapes are not decoded
  std::string_view value() const { return value_; }  // the whole value's text

 private:
  std::string_view text_;
  std::size_t at_ = 0;
  std::string_view key_, value_;
};

// Decoding of single values found so.
std::string decode_string(std::string_view quoted);
std::int64_t decode_int(std::string_view text);
std::vector<std::string> decode_string_array(std::string_view array_text);

}  // namespace causeway::json
