// A JSON object written member by member, for replies that splice text that is JSON already.
#pragma once

#include <string>
#include <string_view>

#include "schema/json/json.hpp"

namespace causeway::json {

class ObjectWriter {
 public:
  // Appends the key; the value, as JSON, is the caller's to append to what is returned. Keys are ours: nothing to
  // escape.
  std::string& member(std::string_view key) {
    text_ += text_.empty() ? '{' : ',';
    text_ += '"';
    text_ += key;
    text_ += "\":";
    return text_;
  }
  void string_member(std::string_view key, std::string_view text) { append_quoted(member(key), text); }

  std::string take() {
    if (text_.empty()) text_ = '{';
    text_ += '}';
    return std::move(text_);
  }

 private:
  std::string text_;
};

// The elements, each JSON, as an array.
template <class Range>
std::string array_text(const Range& elements) {
  std::string out = "[";
  for (const auto& element : elements) {
    if (out.size() > 1) out += ',';
    out += element;
  }
  out += ']';
  return out;
}

}  // namespace causeway::json
