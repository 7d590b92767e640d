// Canonical JSON, the bytes that are hashed and signed. The only place that produces them.
//
// spec: appendices#canonical-json
#pragma once

#include <boost/json/object.hpp>
#include <string>

#include "schema/matrix/error.hpp"

namespace causeway::json {

// Integers canonical JSON can hold.
inline constexpr std::int64_t max_canonical_int = (std::int64_t{1} << 53) - 1;

// M_BAD_JSON for floats and integers outside +-(2^53 - 1), at any depth. Room versions 6 and later enforce this.
Result<> check_canonical(const boost::json::value& value);

// Keys sorted by code point, no insignificant space, shortest escapes. Asserts nothing about number ranges.
std::string canonical(const boost::json::value& value);
void append_canonical(std::string& out, const boost::json::value& value);
void append_canonical(std::string& out, const boost::json::object& object);

}  // namespace causeway::json
