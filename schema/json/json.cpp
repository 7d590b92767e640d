#include "schema/json/json.hpp"

#include <boost/json/error.hpp>

#include "schema/json/exact_parser.hpp"

namespace causeway::json {

namespace {

MatrixError missing(std::string_view key) {
  return make_error(ErrorCode::missing_param, "The member '" + std::string(key) + "' is missing.");
}

MatrixError wrong_type(std::string_view key, std::string_view expected) {
  return make_error(ErrorCode::bad_json,
                    "The member '" + std::string(key) + "' must be " + std::string(expected) + ".");
}

// The member, or nullptr when it is absent or null.
const value* find_present(const object& from, std::string_view key) {
  const value* found = from.if_contains(key);
  return found && !found->is_null() ? found : nullptr;
}

std::optional<std::int64_t> as_int(const value& from) {
  if (from.is_int64()) return from.get_int64();
  // Larger than int64 can hold: not an integer of ours.
  return std::nullopt;
}

}  // namespace

Result<value> parse(std::string_view text) {
  boost::system::error_code error;
  value parsed = parse_exactly(text, max_depth, error);
  if (error == boost::json::error::too_deep) return make_error(ErrorCode::bad_json, "The JSON is nested too deeply.");
  if (error) return make_error(ErrorCode::not_json, "The content is not valid JSON: " + error.message() + ".");
  return parsed;
}

Result<object> parse_object(std::string_view text) {
  auto parsed = parse(text);
  if (!parsed) return parsed.error();
  if (!parsed->is_object()) return make_error(ErrorCode::bad_json, "The content must be a JSON object.");
  return std::move(parsed->get_object());
}

Result<std::string> required_string(const object& from, std::string_view key) {
  const value* found = find_present(from, key);
  if (!found) return missing(key);
  if (!found->is_string()) return wrong_type(key, "a string");
  return std::string(found->get_string());
}

Result<std::optional<std::string>> optional_string(const object& from, std::string_view key) {
  const value* found = find_present(from, key);
  if (!found) return std::optional<std::string>();
  if (!found->is_string()) return wrong_type(key, "a string");
  return std::optional<std::string>(std::string(found->get_string()));
}

Result<std::int64_t> required_int(const object& from, std::string_view key) {
  const value* found = find_present(from, key);
  if (!found) return missing(key);
  auto number = as_int(*found);
  if (!number) return wrong_type(key, "an integer");
  return *number;
}

Result<std::optional<std::int64_t>> optional_int(const object& from, std::string_view key) {
  const value* found = find_present(from, key);
  if (!found) return std::optional<std::int64_t>();
  auto number = as_int(*found);
  if (!number) return wrong_type(key, "an integer");
  return number;
}

Result<std::optional<bool>> optional_bool(const object& from, std::string_view key) {
  const value* found = find_present(from, key);
  if (!found) return std::optional<bool>();
  if (!found->is_bool()) return wrong_type(key, "true or false");
  return std::optional<bool>(found->get_bool());
}

Result<const object*> required_object(const object& from, std::string_view key) {
  const value* found = find_present(from, key);
  if (!found) return missing(key);
  if (!found->is_object()) return wrong_type(key, "an object");
  return &found->get_object();
}

Result<const object*> optional_object(const object& from, std::string_view key) {
  const value* found = find_present(from, key);
  if (!found) return static_cast<const object*>(nullptr);
  if (!found->is_object()) return wrong_type(key, "an object");
  return &found->get_object();
}

Result<const array*> optional_array(const object& from, std::string_view key) {
  const value* found = find_present(from, key);
  if (!found) return static_cast<const array*>(nullptr);
  if (!found->is_array()) return wrong_type(key, "an array");
  return &found->get_array();
}

const object* find_object(const object& from, std::string_view key) {
  const value* found = from.if_contains(key);
  return found ? found->if_object() : nullptr;
}

const array* find_array(const object& from, std::string_view key) {
  const value* found = from.if_contains(key);
  return found ? found->if_array() : nullptr;
}

std::optional<std::string_view> find_string(const object& from, std::string_view key) {
  const value* found = from.if_contains(key);
  if (!found || !found->is_string()) return std::nullopt;
  return std::string_view(found->get_string());
}

std::optional<std::int64_t> find_int(const object& from, std::string_view key) {
  const value* found = from.if_contains(key);
  return found ? as_int(*found) : std::nullopt;
}

std::optional<bool> find_bool(const object& from, std::string_view key) {
  const value* found = from.if_contains(key);
  if (!found || !found->is_bool()) return std::nullopt;
  return found->get_bool();
}

// The escapes canonical JSON prescribes, so that spliced and canonical text agree. spec: appendices#canonical-json
void append_quoted(std::string& out, std::string_view text) {
  static constexpr char hex[] = "0123456789abcdef";
  out += '"';
  for (const char c : text) {
    switch (c) {
      case '"':
        out += "\\\"";
        break;
      case '\\':
        out += "\\\\";
        break;
      case '\b':
        out += "\\b";
        break;
      case '\f':
        out += "\\f";
        break;
      case '\n':
        out += "\\n";
        break;
      case '\r':
        out += "\\r";
        break;
      case '\t':
        out += "\\t";
        break;
      default:
        if (static_cast<unsigned char>(c) < 0x20) {
          out += "\\u00";
          out += hex[static_cast<unsigned char>(c) >> 4];
          out += hex[c & 15];
        } else {
          out += c;
        }
    }
  }
  out += '"';
}

}  // namespace causeway::json
