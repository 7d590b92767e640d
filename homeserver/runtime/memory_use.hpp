// Estimates of what things take in memory, for bounds in bytes. Rather too much than too little.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace causeway {

// A node of a list, a map or a hash map, with its place in a table and what the allocator adds.
inline constexpr std::size_t node_bytes = 64;
// A std::deque with at least one element.
inline constexpr std::size_t deque_bytes = 640;
// What a string holds outside itself.
inline std::size_t heap_bytes(std::size_t length) {
  constexpr std::size_t inside = 15;
  return length <= inside ? 0 : length + 32;
}
inline std::size_t heap_bytes(const std::string& text) {
  return heap_bytes(text.size());
}

// What JSON takes once it is parsed: two bytes of text may be a value of sixteen, or a member of an object of fifty.
inline std::size_t parsed_json_bytes(std::string_view text) {
  constexpr std::size_t value_bytes = 48;
  std::size_t values = 1;
  for (const char c : text)
    values += c == ',' || c == '[' || c == '{';
  return text.size() + values * value_bytes;
}

}  // namespace causeway
