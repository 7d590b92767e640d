// Reading JSON from outside: size, depth and UTF-8 are checked while parsing; members are read with their types.
#pragma once

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "schema/matrix/error.hpp"

namespace causeway::json {

using boost::json::array;
using boost::json::object;
using boost::json::value;

// Deeper input is refused. Boost.JSON's own limit; an event this deep is accepted by no server we know.
inline constexpr std::size_t max_depth = 64;

// M_NOT_JSON if the text is not JSON, M_BAD_JSON if it is nested too deeply or is not an object where one is needed.
Result<value> parse(std::string_view text);
Result<object> parse_object(std::string_view text);

// Members by type. `required_*`: M_MISSING_PARAM when absent, M_BAD_JSON when of another type. `optional_*`: nullopt or
// nullptr when absent (null counts as absent), M_BAD_JSON when of another type. The messages name the key.
Result<std::string> required_string(const object& from, std::string_view key);
Result<std::optional<std::string>> optional_string(const object& from, std::string_view key);
Result<std::int64_t> required_int(const object& from, std::string_view key);
Result<std::optional<std::int64_t>> optional_int(const object& from, std::string_view key);
Result<std::optional<bool>> optional_bool(const object& from, std::string_view key);
Result<const object*> required_object(const object& from, std::string_view key);
Result<const object*> optional_object(const object& from, std::string_view key);
Result<const array*> optional_array(const object& from, std::string_view key);

// For data already accepted (events, our own rows): the member if it is there and of this type, else nothing.
const object* find_object(const object& from, std::string_view key);
const array* find_array(const object& from, std::string_view key);
std::optional<std::string_view> find_string(const object& from, std::string_view key);
std::optional<std::int64_t> find_int(const object& from, std::string_view key);
std::optional<bool> find_bool(const object& from, std::string_view key);

// Appends `text` to `out` as a JSON string, quotes included.
void append_quoted(std::string& out, std::string_view text);

}  // namespace causeway::json
