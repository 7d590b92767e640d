// JSON that other servers send, where one thing that this server does not take must not spoil what comes with it.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "schema/json/json.hpp"

namespace causeway::json {

// Canonical JSON of a text, with every number as it is written: what a peer signed may hold events with floats, or
// integers larger than ours, and its signature is right all the same. Nothing if the text is not JSON or nested deeper
// than max_foreign_depth. Of members with the same key the last counts.
inline constexpr std::size_t max_foreign_depth = 1'000;
std::optional<std::string> canonical_text(std::string_view text);

// Like parse_object, but what is nested deeper than max_depth becomes null. An event that this befalls no longer
// matches its content hash, so that its redacted form is kept and its place among the others is not lost.
Result<object> parse_foreign_object(std::string_view text);

}  // namespace causeway::json
