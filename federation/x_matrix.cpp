#include "federation/x_matrix.hpp"

#include <algorithm>
#include <cctype>

#include "schema/json/json.hpp"

namespace causeway::federation {

namespace {

MatrixError malformed(const std::string& why) {
  return make_error(ErrorCode::unauthorized, 401, "The Authorization header is not a valid X-Matrix header: " + why);
}

std::string lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(), [](unsigned char c) { return std::tolower(c); });
  return out;
}

// Reads "scheme name=value, name=value, scheme name=value ..." from left to right.
class HeaderReader {
 public:
  explicit HeaderReader(std::string_view text) : text_(text) {}

  bool at_end() {
    skip(" \t,");
    return text_.empty();
  }
  std::string_view word() {
    const auto end = std::min(text_.find_first_of(" \t,=\""), text_.size());
    const auto out = text_.substr(0, end);
    text_.remove_prefix(end);
    return out;
  }
  // RFC 9110 wants "name=value" without spaces around '='; "bad whitespace" there is tolerated.
  bool equals_sign() {
    auto rest = text_;
    rest.remove_prefix(std::min(rest.find_first_not_of(" \t"), rest.size()));
    if (!rest.starts_with('=')) return false;
    text_ = rest.substr(1);
    skip(" \t");
    return true;
  }
  std::optional<std::string> value() { return text_.starts_with('"') ? quoted() : unquoted(); }

 private:
  void skip(std::string_view characters) {
    text_.remove_prefix(std::min(text_.find_first_not_of(characters), text_.size()));
  }
  std::optional<std::string> quoted() {
    std::string out;
    for (std::size_t i = 1; i < text_.size(); ++i) {
      if (text_[i] == '"') {
        text_.remove_prefix(i + 1);
        return out;
      }
      if (text_[i] == '\\' && ++i == text_.size()) break;
      out += text_[i];
    }
    return std::nullopt;
  }
  // More than a token: older servers leave colons and base64 unquoted.
  std::optional<std::string> unquoted() {
    const auto end = std::min(text_.find_first_of(" \t,\""), text_.size());
    std::string out(text_.substr(0, end));
    text_.remove_prefix(end);
    return out;
  }

  std::string_view text_;
};

void set_parameter(XMatrix& credentials, const std::string& name, std::string value) {
  if (name == "origin") credentials.origin = std::move(value);
  if (name == "destination") credentials.destination = std::move(value);
  if (name == "key") credentials.key = std::move(value);
  if (name == "sig") credentials.signature = std::move(value);
}

}  // namespace

Result<std::vector<XMatrix>> parse_x_matrix(std::string_view header) {
  std::vector<XMatrix> found;
  HeaderReader reader(header);
  bool ours = false;
  while (!reader.at_end()) {
    const std::string name = lower(reader.word());
    if (name.empty()) return malformed("a parameter has no name");
    if (!reader.equals_sign()) {
      ours = name == "x-matrix";
      if (ours) found.emplace_back();
      continue;
    }
    auto value = reader.value();
    if (!value) return malformed("a quoted value has no end");
    if (ours) set_parameter(found.back(), name, std::move(*value));
  }
  for (const auto& credentials : found)
    if (credentials.origin.empty() || credentials.key.empty() || credentials.signature.empty())
      return malformed("origin, key and sig are required");
  return found;
}

std::string format_x_matrix(const XMatrix& credentials) {
  std::string out = "X-Matrix origin=\"" + credentials.origin + "\"";
  if (credentials.destination) out += ",destination=\"" + *credentials.destination + "\"";
  return out + ",key=\"" + credentials.key + "\",sig=\"" + credentials.signature + "\"";
}

std::string signed_request_bytes(std::string_view method, std::string_view uri, std::string_view origin,
                                 std::string_view destination, const std::optional<std::string>& content) {
  // The keys in canonical order; `content` is canonical already.
  std::string out = "{";
  if (content) out += "\"content\":" + *content + ",";
  out += "\"destination\":";
  json::append_quoted(out, destination);
  out += ",\"method\":";
  json::append_quoted(out, method);
  out += ",\"origin\":";
  json::append_quoted(out, origin);
  out += ",\"uri\":";
  json::append_quoted(out, uri);
  return out + "}";
}

}  // namespace causeway::federation
