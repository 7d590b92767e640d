// Filters as clients define them, checked and compiled once, then asked per event.
//
// spec: client-server-api#filtering, client-server-api#post_matrixclientv3useruseridfilter
#pragma once

#include <boost/json/object.hpp>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "schema/events/event.hpp"
#include "schema/matrix/error.hpp"

namespace causeway {

// "Only these, never those." What is excluded wins over what is included; no list of inclusions means everything.
struct NameRule {
  std::optional<std::set<std::string, std::less<>>> include;
  std::set<std::string, std::less<>> exclude;
  bool accepts(std::string_view name) const;
  bool accepts_everything() const { return !include && exclude.empty(); }
};

// The same for event types, where '*' stands for any sequence of characters.
struct TypeRule {
  std::optional<std::vector<std::string>> include;
  std::vector<std::string> exclude;
  bool accepts(std::string_view type) const;
  bool accepts_everything() const { return !include && exclude.empty(); }
};

// EventFilter of the spec: presence and global account data.
struct EventFilter {
  std::optional<std::size_t> limit;
  NameRule senders;
  TypeRule types;
  static Result<EventFilter> parse(const boost::json::object& from);
};

// RoomEventFilter of the spec; StateFilter has the same members.
struct RoomEventFilter : EventFilter {
  NameRule rooms;
  std::optional<bool> contains_url;
  bool lazy_load_members = false;
  bool include_redundant_members = false;

  static Result<RoomEventFilter> parse(const boost::json::object& from);
  static Result<RoomEventFilter> parse(std::string_view text);  // the `filter` parameter of /messages and its kin

  // Everything but the room, which is asked once per room: rooms.accepts().
  bool accepts(const Event& event) const;
  bool accepts_everything() const {
    return senders.accepts_everything() && types.accepts_everything() && !contains_url;
  }
  // The limit asked for, kept between 0 and `maximum`.
  std::size_t limit_or(std::size_t fallback, std::size_t maximum) const;
};

struct Filter {
  enum class Format { client, federation };

  std::vector<std::vector<std::string>> event_fields;  // paths of member names; empty: all
  Format event_format = Format::client;
  EventFilter presence, account_data;
  NameRule rooms;
  bool include_leave = false;
  RoomEventFilter room_ephemeral, room_state, room_timeline, room_account_data;

  // M_BAD_JSON where a member has the wrong type, M_INVALID_PARAM where its value makes no sense.
  static Result<Filter> parse(const boost::json::object& from);
  static Result<Filter> parse(std::string_view text);
};
using FilterPtr = std::shared_ptr<const Filter>;

// The event, a JSON object as text, with nothing but the members the paths name.
// spec: appendices#dot-separated-property-paths
std::string keep_event_fields(std::string_view event_json, const std::vector<std::vector<std::string>>& paths);

}  // namespace causeway
