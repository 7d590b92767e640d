// What an event takes in memory.
#pragma once

#include "homeserver/events/stored_event.hpp"
#include "homeserver/runtime/memory_use.hpp"

namespace causeway {

// Its JSON, its parsed members, and its content, which may be parsed at any time: of a small one that is part of the
// rest, of a large one with many values it can be most.
inline std::size_t event_bytes(const StoredEvent& event) {
  constexpr std::size_t members = 1024;
  constexpr std::size_t small_content = 1024;
  const std::string_view content = event.event->content_json();
  const std::size_t bytes = event.event->json().size() + members;
  return content.size() <= small_content ? bytes : bytes + parsed_json_bytes(content) - content.size();
}

}  // namespace causeway
