#include "schema/json/canonical.hpp"

#include <boost/json/serialize.hpp>

#include "schema/json/json.hpp"

namespace causeway::json {

// Recursion here is bounded by json::max_depth, which every value from outside has passed.

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
      for (const auto& member : value.get_object())
        if (auto checked = check_canonical(member.value()); !checked) return checked;
      return {};
    default:
      return {};
  }
}

void append_canonical(std::string& out, const boost::json::object& object) {
  // UTF-8 sorts by code point when compared as bytes.
  std::vector<const boost::json::key_value_pair*> members;
  members.reserve(object.size());
  for (const auto& member : object)
    members.push_back(&member);
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
