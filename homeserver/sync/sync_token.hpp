// What clients hold between requests: how far they were told, and places in a room's timeline.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "homeserver/events/stored_event.hpp"
#include "schema/matrix/error.hpp"

namespace causeway {

// Opaque to clients: version, stream position, epoch, ephemeral sequence.
struct SyncToken {
  StreamPosition position = 0;
  std::uint32_t epoch = 0;
  std::uint64_t ephemeral = 0;
  std::string str() const;
  static Result<SyncToken> parse(std::string_view text);  // M_INVALID_PARAM
};

// A place in a room's timeline for /messages: an OrderKey as text. A sync token converts to one.
std::string pagination_token(OrderKey key);
Result<OrderKey> parse_pagination_token(std::string_view text);

}  // namespace causeway
