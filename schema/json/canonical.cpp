#include "schema/json/canonical.hpp"

#include <boost/json/serialize.hpp>
#include <charconv>
#include <cmath>

#include "schema/json/json.hpp"

namespace causeway::json {

// Recursion here is bounded by json::max_depth, which every value from outside has passed.

namespace {

// NOTSPEC: what canonical JSON makes of a float is nowhere laid down; rooms of versions 1 to 5 have been full of events
// hashed in this form, which is Python's.
void append_float(std::string& out, double number) {
  std::array<char, 64> text;
  const auto write = [&](std::chars_format format) {
    const auto written = std::to_chars(text.data(), text.data() + text.size(), number, format);
    return std::string_view(text.data(), written.ptr);
  };
  const double magnitude = std::abs(number);
  if (magnitude != 0 && (magnitude < 1e-4 || magnitude >= 1e16)) {
    out += write(std::chars_format::scientific);
    return;
  }
  const std::string_view digits = write(std::chars_format::fixed);
  out += digits;
  if (digits.find('.') == std::string_view::npos) out += ".0";
}

}  // namespace

Result<> check_finite(const boost::json::object& object) {
  for (const auto& member : object)
    if (auto checked = check_finite(member.value()); !checked) return checked;
  return {};
}

Result<> check_finite(const boost::json::value& value) {
  if (const double* number = value.if_double(); number && !std::isfinite(*number))
    return make_error(ErrorCode::bad_json, "A number is too large.");
  if (const auto* elements = value.if_array())
    for (const auto& element : *elements)
      if (auto checked = check_finite(element); !checked) return checked;
  if (const auto* object = value.if_object()) return check_finite(*object);
  return {};
}

Result<> check_canonical(const boost::json::object& object) {
  for (const auto& member : object)
    if (auto checked = check_canonical(member.value()); !checked) return checked;
  return {};
}

Result<> check_canonical(const boost::json::value& value) {
  switch (value.kind()) {
    case boost::json::kind::double_:
      return make_error(ErrorCode::bad_json, "Numbers must be integers between -(2^53 - 1) and 2^53 - 1.");
    case boost::json::kind::uint64:
      return make_error(ErrorCode::bad_json, "Integers must not exceed 2^53 - 1.");
    case boost::json::kind::int64:
      if (value.get_int64() > max_canonical_int || value.get_int64() < -max_canonical_int)
        return make_error(ErrorCode::bad_json, "Integers must be between -(2^53 - 1) and 2^53 - 1.");
      return {};
    case boost::json::kind::array:
      for (const auto& element : value.get_array())
        if (auto checked = check_canonical(element); !checked) return checked;
      return {};
    case boost::json::kind::object:
      return check_canonical(value.get_object());
    default:
      return {};
  }
}

void append_canonical(std::string& out, const boost::json::object& object, std::span<const std::string_view> without) {
  // UTF-8 sorts by code point when compared as bytes.
  std::vector<const boost::json::key_value_pair*> members;
  members.reserve(object.size());
  for (const auto& member : object)
    if (std::ranges::find(without, std::string_view(member.key())) == without.end()) members.push_back(&member);
  std::ranges::sort(members, [](auto* a, auto* b) { return std::string_view(a->key()) < std::string_view(b->key()); });
  out += '{';
  bool first = true;
  for (const auto* member : members) {
    if (!std::exchange(first, false)) out += ',';
    append_quoted(out, member->key());
    out += ':';
    append_canonical(out, member->value());
  }
  out += '}';
}

void append_canonical(std::string& out, const boost::json::value& value) {
  switch (value.kind()) {
    case boost::json::kind::object:
      append_canonical(out, value.get_object());
      break;
    case boost::json::kind::array: {
      out += '[';
      bool first = true;
      for (const auto& element : value.get_array()) {
        if (!std::exchange(first, false)) out += ',';
        append_canonical(out, element);
      }
      out += ']';
      break;
    }
    case boost::json::kind::string:
      append_quoted(out, value.get_string());
      break;
    case boost::json::kind::int64:
      out += std::to_string(value.get_int64());
      break;
    case boost::json::kind::double_:
      append_float(out, value.get_double());
      break;
    default:
      out += boost::json::serialize(value);
  }
}

std::string canonical(const boost::json::value& value) {
  std::string out;
  append_canonical(out, value);
  return out;
}

}  // namespace causeway::json
