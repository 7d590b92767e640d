// Boost.JSON's parser, but for floats: it reads those of more than 15 digits to the nearest but one, and events of old
// rooms are hashed with their floats written out.
#pragma once

#include <boost/json/value.hpp>
#include <string_view>

namespace causeway::json {

// Fails as boost::json::parse does.
boost::json::value parse_exactly(std::string_view text, std::size_t max_depth, boost::system::error_code& error);

}  // namespace causeway::json
