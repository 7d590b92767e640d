// Builds the path and query of an outbound request, percent-encoded.
#pragma once

#include <string>
#include <string_view>

namespace causeway::federation {

class RequestTarget {
 public:
  // `prefix` is written as it is: "/_matrix/federation/v1/make_join".
  explicit RequestTarget(std::string_view prefix) : text_(prefix) {}
  RequestTarget& segment(std::string_view text);
  RequestTarget& query(std::string_view name, std::string_view value);
  const std::string& str() const { return text_; }

 private:
  std::string text_;
  bool has_query_ = false;
};

}  // namespace causeway::federation
