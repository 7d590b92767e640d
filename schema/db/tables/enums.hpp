// Small enumerations as stored in rows. Values never change their meaning.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace causeway::db {

enum class EventFlags : std::int16_t {
  none = 0,
  rejected = 1,        // failed authorisation: never shown, never state
  soft_failed = 2,     // failed against the current state: takes part in resolution, not shown, no extremity
  redacted = 4,        // the stored JSON is the redacted form
  local = 8,           // made by this server: owed to the room's other servers
  hash_mismatch = 16,  // arrived with a wrong content hash: stored redacted
  withheld = 32,       // not shown to clients: a redaction that is not applied (yet), an event that merges
  unjudged = 64,       // an outlier of which nothing was checked, as what it cites was not here: proves nothing
  // A live event that came while events before it were missing: a timeline from before it to it is not whole, also when
  // what was missing has been fetched since.
  behind_gap = 128,
};
constexpr EventFlags operator|(EventFlags a, EventFlags b) {
  return static_cast<EventFlags>(static_cast<std::int16_t>(a) | static_cast<std::int16_t>(b));
}
constexpr EventFlags operator&(EventFlags a, EventFlags b) {
  return static_cast<EventFlags>(static_cast<std::int16_t>(a) & static_cast<std::int16_t>(b));
}

enum class Membership : std::int16_t { leave = 0, invite = 1, join = 2, knock = 3, ban = 4 };
std::string_view to_string(Membership membership);
std::optional<Membership> parse_membership(std::string_view text);

}  // namespace causeway::db
