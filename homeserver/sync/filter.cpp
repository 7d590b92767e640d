#include "homeserver/sync/filter.hpp"

#include "schema/json/exact_parser.hpp"
#include "schema/json/json.hpp"
#include "schema/matrix/glob.hpp"
#include "schema/matrix/ids.hpp"

namespace causeway {

namespace {

using Names = std::vector<std::string>;

bool any_matches(const Names& patterns, std::string_view text) {
  return std::any_of(patterns.begin(), patterns.end(),
                     [&](const auto& pattern) { return wildcard_matches(pattern, text); });
}

// Absent: nullopt. M_BAD_JSON unless it is an array of strings.
Result<std::optional<Names>> string_list(const json::object& from, std::string_view key) {
  auto list = json::optional_array(from, key);
  if (!list) return list.error();
  if (!*list) return std::optional<Names>{};
  Names names;
  for (const auto& element : **list) {
    if (!element.is_string())
      return make_error(ErrorCode::bad_json, "'" + std::string(key) + "' must be an array of strings");
    names.emplace_back(element.get_string());
  }
  return std::optional<Names>(std::move(names));
}

template <class Id>
Result<std::optional<Names>> id_list(const json::object& from, std::string_view key) {
  auto names = string_list(from, key);
  if (!names || !*names) return names;
  for (const auto& name : **names)
    if (!Id::parse(name))
      return make_error(ErrorCode::invalid_param, "'" + std::string(key) + "' holds something that is no identifier");
  return names;
}

template <class Id>
Result<NameRule> name_rule(const json::object& from, std::string_view include_key, std::string_view exclude_key) {
  auto include = id_list<Id>(from, include_key);
  if (!include) return include.error();
  auto exclude = id_list<Id>(from, exclude_key);
  if (!exclude) return exclude.error();
  NameRule rule;
  if (*include) rule.include.emplace((*include)->begin(), (*include)->end());
  if (*exclude) rule.exclude.insert((*exclude)->begin(), (*exclude)->end());
  return rule;
}

Result<TypeRule> type_rule(const json::object& from) {
  auto include = string_list(from, "types");
  if (!include) return include.error();
  auto exclude = string_list(from, "not_types");
  if (!exclude) return exclude.error();
  TypeRule rule;
  rule.include = std::move(*include);
  if (*exclude) rule.exclude = std::move(**exclude);
  return rule;
}

Result<bool> flag(const json::object& from, std::string_view key) {
  auto value = json::optional_bool(from, key);
  if (!value) return value.error();
  return value->value_or(false);
}

// The member parsed as a filter of its own; absent: one that accepts everything.
template <class Part>
Result<> read_part(const json::object& from, std::string_view key, Part& into) {
  auto object = json::optional_object(from, key);
  if (!object) return object.error();
  if (!*object) return {};
  auto part = Part::parse(**object);
  if (!part) return part.error();
  into = std::move(*part);
  return {};
}

Result<> read_room_part(const json::object& from, Filter& into) {
  auto object = json::optional_object(from, "room");
  if (!object) return object.error();
  if (!*object) return {};
  const json::object& room = **object;
  auto rooms = name_rule<RoomId>(room, "rooms", "not_rooms");
  if (!rooms) return rooms.error();
  into.rooms = std::move(*rooms);
  auto include_leave = flag(room, "include_leave");
  if (!include_leave) return include_leave.error();
  into.include_leave = *include_leave;
  if (auto read = read_part(room, "ephemeral", into.room_ephemeral); !read) return read;
  if (auto read = read_part(room, "state", into.room_state); !read) return read;
  if (auto read = read_part(room, "timeline", into.room_timeline); !read) return read;
  return read_part(room, "account_data", into.room_account_data);
}

Result<> read_event_format(const json::object& from, Filter& into) {
  auto format = json::optional_string(from, "event_format");
  if (!format) return format.error();
  if (!*format || **format == "client") return {};
  if (**format != "federation")
    return make_error(ErrorCode::invalid_param, "'event_format' must be 'client' or 'federation'");
  into.event_format = Filter::Format::federation;
  return {};
}

// spec: appendices#dot-separated-property-paths
std::vector<std::string> split_path(std::string_view path) {
  std::vector<std::string> names(1);
  for (std::size_t i = 0; i < path.size(); ++i) {
    const bool escapes = path[i] == '\\' && i + 1 < path.size() && (path[i + 1] == '.' || path[i + 1] == '\\');
    if (escapes)
      names.back() += path[++i];
    else if (path[i] == '.')
      names.emplace_back();
    else
      names.back() += path[i];
  }
  return names;
}

void copy_path(const json::object& from, json::object& to, std::span<const std::string> path) {
  const auto* member = from.if_contains(path.front());
  if (!member) return;
  if (path.size() == 1) {
    to[path.front()] = *member;
    return;
  }
  if (!member->is_object()) return;
  auto& inner = to[path.front()];
  if (!inner.is_object()) inner = json::object();
  copy_path(member->get_object(), inner.get_object(), path.subspan(1));
}

}  // namespace

bool NameRule::accepts(std::string_view name) const {
  return !exclude.contains(name) && (!include || include->contains(name));
}

bool TypeRule::accepts(std::string_view type) const {
  return !any_matches(exclude, type) && (!include || any_matches(*include, type));
}

Result<EventFilter> EventFilter::parse(const json::object& from) {
  EventFilter filter;
  auto limit = json::optional_int(from, "limit");
  if (!limit) return limit.error();
  // NOTSPEC: the spec wants more than 0; clients ask for 0 when they want no timeline.
  if (*limit && **limit < 0) return make_error(ErrorCode::invalid_param, "'limit' must not be negative");
  if (*limit) filter.limit = static_cast<std::size_t>(**limit);
  auto senders = name_rule<UserId>(from, "senders", "not_senders");
  if (!senders) return senders.error();
  filter.senders = std::move(*senders);
  auto types = type_rule(from);
  if (!types) return types.error();
  filter.types = std::move(*types);
  return filter;
}

Result<RoomEventFilter> RoomEventFilter::parse(const json::object& from) {
  auto base = EventFilter::parse(from);
  if (!base) return base.error();
  RoomEventFilter filter;
  static_cast<EventFilter&>(filter) = std::move(*base);
  auto rooms = name_rule<RoomId>(from, "rooms", "not_rooms");
  if (!rooms) return rooms.error();
  filter.rooms = std::move(*rooms);
  auto contains_url = json::optional_bool(from, "contains_url");
  if (!contains_url) return contains_url.error();
  filter.contains_url = *contains_url;
  for (auto [key, member] : {std::pair{"lazy_load_members", &RoomEventFilter::lazy_load_members},
                             std::pair{"include_redundant_members", &RoomEventFilter::include_redundant_members}}) {
    auto value = flag(from, key);
    if (!value) return value.error();
    filter.*member = *value;
  }
  // No notifications are counted here, but what is no filter must be refused.
  if (auto unread = flag(from, "unread_thread_notifications"); !unread) return unread.error();
  return filter;
}

Result<RoomEventFilter> RoomEventFilter::parse(std::string_view text) {
  auto object = json::parse_object(text);
  if (!object) return object.error();
  return parse(*object);
}

bool RoomEventFilter::accepts(const Event& event) const {
  if (!types.accepts(event.type()) || !senders.accepts(event.sender().str())) return false;
  return !contains_url || *contains_url == event.content().contains("url");
}

std::size_t RoomEventFilter::limit_or(std::size_t fallback, std::size_t maximum) const {
  return std::min(limit.value_or(fallback), maximum);
}

Result<Filter> Filter::parse(const json::object& from) {
  Filter filter;
  auto fields = string_list(from, "event_fields");
  if (!fields) return fields.error();
  if (*fields)
    for (const auto& path : **fields)
      filter.event_fields.push_back(split_path(path));
  if (auto read = read_event_format(from, filter); !read) return read.error();
  if (auto read = read_part(from, "presence", filter.presence); !read) return read.error();
  if (auto read = read_part(from, "account_data", filter.account_data); !read) return read.error();
  if (auto read = read_room_part(from, filter); !read) return read.error();
  return filter;
}

Result<Filter> Filter::parse(std::string_view text) {
  auto object = json::parse_object(text);
  if (!object) return object.error();
  return parse(*object);
}

std::string keep_event_fields(std::string_view event_json, const std::vector<std::vector<std::string>>& paths) {
  boost::system::error_code error;
  // In `unsigned` may be another event.
  const auto event = json::parse_exactly(event_json, 2 * json::max_depth, error).get_object();
  json::object kept;
  for (const auto& path : paths)
    copy_path(event, kept, path);
  return boost::json::serialize(kept);
}

}  // namespace causeway
