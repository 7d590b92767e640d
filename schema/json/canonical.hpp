// Canonical JSON, the bytes that are hashed and signed. The only place that produces them.
//
// spec: appendices#canonical-json
#pragma once

#include <boost/json/object.hpp>
#include <span>
#include <string>
#include <string_view>

#include "schema/matrix/error.hpp"

namespace causeway::json {

// Integers canonical JSON can hold.
inline constexpr std::int64_t max_canonical_int = (std::int64_t{1} << 53) - 1;

// M_BAD_JSON for floats and integers outside +-(2^53 - 1), at any depth. Room versions 6 and later enforce this.
Result<> check_canonical(const boost::json::value& value);
Result<> check_canonical(const boost::json::object& object);

// M_BAD_JSON for numbers too large for a double, which nothing could write down again. Room versions before 6 allow
// all others.
Result<> check_finite(const boost::json::value& value);
Result<> check_finite(const boost::json::object& object);

// Keys sorted by code point, no insignificant space, shortest escapes. Of numbers that canonical JSON does not allow,
// integers of up to 64 bits stay as they are and all others are floats: their shortest digits, with an exponent from
// 1e+16 on and below 1e-04.
std::string canonical(const boost::json::value& value);
void append_canonical(std::string& out, const boost::json::value& value);
// `without`: members at the top that are left out.
void append_canonical(std::string& out, const boost::json::object& object,
                      std::span<const std::string_view> without = {});

}  // namespace causeway::json
