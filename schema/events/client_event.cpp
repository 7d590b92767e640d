#include "schema/events/client_event.hpp"

#include "schema/json/json.hpp"
#include "schema/json/scan.hpp"

namespace causeway {

namespace {

void append_member(std::string& out, std::string_view key, std::string_view value) {
  out += out.back() == '{' ? "\"" : ",\"";
  out += key;
  out += "\":";
  out += value;
}

// content, with `redacts` in it for redactions of versions that have it at the top.
void append_content(std::string& out, const Event& event) {
  const bool add_redacts =
      event.redacts() && !event.version().redacts_in_content && !event.content().contains("redacts");
  if (!add_redacts) return append_member(out, "content", event.content_json());
  std::string content(event.content_json());
  content.pop_back();
  std::string id;
  json::append_quoted(id, event.redacts()->str());
  append_member(content, "redacts", id);
  content += '}';
  append_member(out, "content", content);
}

void append_id(std::string& out, const Event& event) {
  std::string id;
  json::append_quoted(id, event.id().str());
  append_member(out, "event_id", id);
}

void append_room_id(std::string& out, const Event& event) {
  std::string id;
  json::append_quoted(id, event.room_id().str());
  append_member(out, "room_id", id);
}

}  // namespace

void append_client_event(std::string& out, const Event& event, ClientEventFormat format,
                         std::string_view unsigned_json) {
  const bool stripped = format == ClientEventFormat::stripped;
  out += '{';
  append_content(out, event);
  if (!stripped) append_id(out, event);
  if (event.redacts() && event.version().redacts_in_content && !stripped) {
    std::string id;
    json::append_quoted(id, event.redacts()->str());
    append_member(out, "redacts", id);
  }
  if (format == ClientEventFormat::full) append_room_id(out, event);
  for (json::MemberScanner member(event.json()); member.next();) {
    const std::string_view key = member.key();
    const bool always = key == "sender" || key == "state_key" || key == "type";
    const bool at_top = key == "origin_server_ts" || (key == "redacts" && !event.version().redacts_in_content);
    if (always || (at_top && !stripped)) append_member(out, key, member.value());
  }
  if (!unsigned_json.empty() && !stripped) append_member(out, "unsigned", unsigned_json);
  out += '}';
}

}  // namespace causeway
