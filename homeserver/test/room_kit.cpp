#include "homeserver/test/support/room_kit.hpp"

#include "schema/json/canonical.hpp"

namespace causeway::test {

namespace {
json::array to_array(const RoomVersion& version, const std::vector<std::string>& ids) {
  json::array out;
  for (const std::string& id : ids) {
    if (version.event_format == EventFormat::v3)
      out.emplace_back(id);
    else
      out.push_back({id, json::object()});
  }
  return out;
}
}  // namespace

EventPtr make_event(const RoomVersion& version, const EventText& text, const EventPlace& place) {
  json::object event;
  event["type"] = text.type;
  event["sender"] = text.sender;
  if (text.state_key) event["state_key"] = *text.state_key;
  if (!place.room_id.empty()) event["room_id"] = place.room_id;
  event["content"] = json::parse_object(text.content).value();
  event["origin_server_ts"] = place.ts;
  event["depth"] = place.depth;
  event["prev_events"] = to_array(version, place.prev_events);
  event["auth_events"] = to_array(version, place.auth_events);
  if (text.type == "m.room.redaction" && !place.redacts.empty()) event["redacts"] = place.redacts;
  event["hashes"] = json::object();
  event["signatures"] = json::object();
  return Event::from_stored(version, EventId::trusted(place.id), json::canonical(event));
}

std::string room_id_of(const RoomVersion& version) {
  return version.room_id_is_create_hash ? "!create" : "!room:a";
}

EventPtr make_create(const RoomVersion& version, const std::string& content) {
  EventPlace place{.id = "$create", .room_id = room_id_of(version), .prev_events = {}};
  if (version.room_id_is_create_hash) place.room_id.clear();
  json::object parsed = json::parse_object(content).value();
  if (version.creator_in_content && !parsed.contains("creator")) parsed["creator"] = "@alice:a";
  return make_event(version, {"m.room.create", "", "@alice:a", json::canonical(parsed)}, place);
}

}  // namespace causeway::test
