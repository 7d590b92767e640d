// JSON text: what we make of it against Boost.JSON, and against a second writer of canonical JSON.
#include "schema/json/canonical.hpp"

#include <algorithm>
#include <boost/json/parse.hpp>
#include <cctype>
#include <cstdlib>

#include "conformance/fuzz/fuzzer.hpp"
#include "schema/json/json.hpp"
#include "schema/json/scan.hpp"
#include "schema/matrix/assert.hpp"

namespace causeway::fuzz {

namespace {

std::u32string code_points(std::string_view utf8) {
  std::u32string out;
  for (std::size_t at = 0; at < utf8.size();) {
    const auto lead = static_cast<unsigned char>(utf8[at++]);
    const int more = lead < 0x80 ? 0 : lead < 0xE0 ? 1 : lead < 0xF0 ? 2 : 3;
    char32_t point = more == 0 ? lead : lead & (0x3F >> more);
    for (int i = 0; i < more; ++i)
      point = point << 6 | (static_cast<unsigned char>(utf8[at++]) & 0x3F);
    out += point;
  }
  return out;
}

// The grammar of appendices#grammar, rule by rule.
std::string quoted(std::string_view text) {
  static const std::map<char, std::string> short_forms = {{'"', "\\\""}, {'\\', "\\\\"}, {'\b', "\\b"}, {'\f', "\\f"},
                                                          {'\n', "\\n"}, {'\r', "\\r"},  {'\t', "\\t"}};
  std::string out = "\"";
  for (const char c : text) {
    char long_form[8];
    std::snprintf(long_form, sizeof long_form, "\\u%04x", static_cast<unsigned char>(c));
    if (const auto found = short_forms.find(c); found != short_forms.end())
      out += found->second;
    else
      out += static_cast<unsigned char>(c) < 0x20 ? std::string(long_form) : std::string(1, c);
  }
  return out + '"';
}

std::string second_opinion(const json::value& value) {
  std::string out;
  if (const auto* elements = value.if_array()) {
    for (const auto& element : *elements)
      out += (out.empty() ? "" : ",") + second_opinion(element);
    return '[' + out + ']';
  }
  if (const auto* members = value.if_object()) {
    std::map<std::u32string, std::string> sorted;
    for (const auto& member : *members)
      sorted[code_points(member.key())] = quoted(member.key()) + ':' + second_opinion(member.value());
    for (const auto& [key, text] : sorted)
      out += (out.empty() ? "" : ",") + text;
    return '{' + out + '}';
  }
  if (value.is_string()) return quoted(value.get_string());
  if (value.is_int64()) return std::to_string(value.get_int64());
  if (value.is_bool()) return value.get_bool() ? "true" : "false";
  return "null";
}

// The scanner, which reads our own canonical text, against the parsed object.
void check_scanner(const json::object& object, std::string_view text) {
  std::size_t members = 0;
  for (json::MemberScanner scanner(text); scanner.next(); ++members) {
    const std::string key = json::decode_string('"' + std::string(scanner.key()) + '"');
    const json::value& value = object.at(key);
    CAUSEWAY_ASSERT(json::canonical(value) == scanner.value());
    if (value.is_int64()) CAUSEWAY_ASSERT(json::decode_int(scanner.value()) == value.get_int64());
    if (value.is_string()) CAUSEWAY_ASSERT(json::decode_string(scanner.value()) == value.get_string());
    if (const auto* list = value.if_array();
        list && std::ranges::all_of(*list, [](const json::value& entry) { return entry.is_string(); })) {
      const auto strings = json::decode_string_array(scanner.value());
      CAUSEWAY_ASSERT(std::ranges::equal(strings, *list, [](const std::string& one, const json::value& other) {
        return one == std::string_view(other.get_string());
      }));
    }
  }
  CAUSEWAY_ASSERT(members == object.size());
}

// What old rooms were hashed with: floats by their shortest digits that lead back to them, integers as they are.
void check_number(const json::value& number) {
  const std::string text = json::canonical(number);
  if (number.is_uint64()) CAUSEWAY_ASSERT(text == std::to_string(number.get_uint64()));
  if (number.is_int64()) CAUSEWAY_ASSERT(text == std::to_string(number.get_int64()));
  if (!number.is_double()) return;
  const double value = number.get_double();
  CAUSEWAY_ASSERT(std::strtod(text.c_str(), nullptr) == value);
  char shorter[40];
  const auto digits = static_cast<int>(std::ranges::count_if(text.substr(0, text.find('e')), isdigit));
  const bool is_whole = text.ends_with(".0") || text.starts_with("0.") || text.starts_with("-0.");
  if (is_whole || digits < 2) return;  // with zeros that are no digits of it
  std::snprintf(shorter, sizeof shorter, "%.*e", digits - 2, value);
  CAUSEWAY_ASSERT(std::strtod(shorter, nullptr) != value);
}

void check_numbers(const json::value& value) {
  if (const auto* elements = value.if_array())
    for (const auto& element : *elements)
      check_numbers(element);
  else if (const auto* members = value.if_object())
    for (const auto& member : *members)
      check_numbers(member.value());
  else if (value.is_number())
    check_number(value);
}

}  // namespace

void run(std::string_view input) {
  boost::json::parse_options options;
  options.max_depth = json::max_depth;
  boost::system::error_code error;
  const json::value expected = boost::json::parse(input, error, {}, options);
  const auto value = json::parse(input);
  CAUSEWAY_ASSERT(value.has_value() == !error);
  if (!value) return;
  const std::string text = json::canonical(*value);
  if (!json::check_finite(*value)) return;  // numbers that can't be written at all
  const auto again = json::parse(text);
  CAUSEWAY_ASSERT(again && *again == *value);
  CAUSEWAY_ASSERT(json::canonical(*again) == text);
  check_numbers(*value);
  if (!json::check_canonical(*value)) return;  // numbers that rooms of old versions alone may have
  CAUSEWAY_ASSERT(*value == expected);
  CAUSEWAY_ASSERT(second_opinion(expected) == text);
  if (value->is_object()) check_scanner(value->get_object(), text);
}

}  // namespace causeway::fuzz
