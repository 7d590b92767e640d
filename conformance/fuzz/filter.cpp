// The filter of /sync and of /messages as a client defines it, and what it does to events.
#include "homeserver/sync/filter.hpp"

#include "conformance/fuzz/fuzzer.hpp"
#include "schema/events/client_event.hpp"
#include "schema/json/json.hpp"
#include "schema/matrix/assert.hpp"

namespace causeway::fuzz {

namespace {

// As deep as a client event can be whose PDU was accepted.
std::string deep_content() {
  constexpr std::size_t depth = json::max_depth - 4;  // of the content; a transaction is around the event
  std::string open, close;
  for (std::size_t i = 0; i < depth; ++i) {
    open += R"({"a":)";
    close += '}';
  }
  return R"({"body":"hello","url":"mxc://a/b","a.b":{"c":1},"a":)" + open + "1" + close + "}";
}

EventPtr make_event(std::string_view type, std::string_view content) {
  std::string text = R"({"type":")" + std::string(type) + R"(","room_id":"!r:a","sender":"@alice:a","depth":1,)";
  text += R"("origin_server_ts":1,"prev_events":[],"auth_events":[],"hashes":{},"signatures":{},"content":)";
  return Event::from_pdu(*find_room_version("11"), json::parse_object(text + std::string(content) + "}").value())
      .value();
}

const std::vector<EventPtr>& events() {
  static const std::vector<EventPtr> all = {make_event("m.room.message", R"({"body":"hello"})"),
                                            make_event("m.room.*\\n", deep_content()), make_event("", "{}")};
  return all;
}

// '*' stands for any sequence. One row of a table per character of the pattern.
bool matches(std::string_view pattern, std::string_view text) {
  std::vector<bool> row(text.size() + 1);
  row[0] = true;
  for (const char c : pattern) {
    std::vector<bool> next(text.size() + 1);
    for (std::size_t i = 0; i <= text.size(); ++i)
      next[i] = c == '*' ? row[i] || (i > 0 && next[i - 1]) : i > 0 && row[i - 1] && c == text[i - 1];
    row = next;
  }
  return row[text.size()];
}

bool any_matches(const std::vector<std::string>& patterns, std::string_view text) {
  return std::ranges::any_of(patterns, [&](const std::string& pattern) { return matches(pattern, text); });
}

void check_types(const TypeRule& rule) {
  for (const std::string_view type : {"", "m.room.message", "m.room.member", "*", "aaaaaaaaaaaaaaaa"}) {
    const bool expected = !any_matches(rule.exclude, type) && (!rule.include || any_matches(*rule.include, type));
    CAUSEWAY_ASSERT(rule.accepts(type) == expected);
  }
}

void check_names(const NameRule& rule) {
  for (const auto& name : rule.exclude)
    CAUSEWAY_ASSERT(!rule.accepts(name));
  for (const auto& name : rule.include.value_or(std::set<std::string, std::less<>>()))
    CAUSEWAY_ASSERT(rule.accepts(name) != rule.exclude.contains(name));
}

void check_room_filter(const RoomEventFilter& filter) {
  check_types(filter.types);
  check_names(filter.senders);
  check_names(filter.rooms);
  CAUSEWAY_ASSERT(filter.limit_or(10, 100) <= 100);
  for (const EventPtr& event : events())
    if (filter.accepts(*event)) {
      CAUSEWAY_ASSERT(filter.types.accepts(event->type()));
      CAUSEWAY_ASSERT(filter.senders.accepts(event->sender().str()));
    } else {
      CAUSEWAY_ASSERT(!filter.accepts_everything());
    }
}

// Fields once kept are kept again; nothing is added.
void check_fields(const Filter& filter) {
  for (const EventPtr& event : events()) {
    std::string shown;
    append_client_event(shown, *event, ClientEventFormat::sync, R"({"age":1})");
    const std::string kept = keep_event_fields(shown, filter.event_fields);
    CAUSEWAY_ASSERT(kept.size() <= shown.size());
    CAUSEWAY_ASSERT(json::parse_object(kept));
    CAUSEWAY_ASSERT(json::parse(keep_event_fields(kept, filter.event_fields)).value() == json::parse(kept).value());
  }
}

}  // namespace

void run(std::string_view input) {
  if (const auto filter = RoomEventFilter::parse(input)) check_room_filter(*filter);
  const auto filter = Filter::parse(input);
  if (!filter) return;
  check_fields(*filter);
  check_names(filter->rooms);
  for (const EventFilter* part : {&filter->presence, &filter->account_data}) {
    check_types(part->types);
    check_names(part->senders);
  }
  for (const RoomEventFilter* part :
       {&filter->room_ephemeral, &filter->room_state, &filter->room_timeline, &filter->room_account_data})
    check_room_filter(*part);
}

}  // namespace causeway::fuzz
