#include "homeserver/test/support/stored_events.hpp"

#include "schema/json/canonical.hpp"

namespace causeway::test {

std::shared_ptr<StoredEvent> stored_event(const EventSpec& spec) {
  boost::json::object json;
  json["auth_events"] = boost::json::array();
  json["content"] = boost::json::object{{"body", spec.body}};
  json["depth"] = 1;
  json["hashes"] = boost::json::object{{"sha256", ""}};
  json["origin_server_ts"] = 1;
  json["prev_events"] = boost::json::array();
  json["room_id"] = "!room" + std::to_string(spec.room);
  json["sender"] = "@u:s";
  json["signatures"] = boost::json::object();
  json["type"] = spec.type;
  if (spec.key) json["state_key"] = spec.state_key;
  auto stored = std::make_shared<StoredEvent>();
  stored->nid = EventNid{spec.nid};
  stored->room = RoomNid{spec.room};
  stored->sender = UserNid{1};
  stored->key = spec.key;
  for (std::int64_t auth : spec.auth)
    stored->auth.push_back(EventNid{auth});
  const std::string id = spec.id.empty() ? "$" + std::to_string(spec.nid) : spec.id;
  stored->event = Event::from_stored(*find_room_version("12"), EventId::trusted(id), json::canonical(json));
  return stored;
}

std::shared_ptr<StoredEvent> stored_message(std::int64_t nid, std::int64_t room) {
  EventSpec spec;
  spec.nid = nid;
  spec.room = room;
  return stored_event(spec);
}

WriteUnitPtr unit_of(std::shared_ptr<StoredEvent> event) {
  auto unit = std::make_shared<WriteUnit>();
  unit->room = event->room;
  NewEvent added;
  added.stored = std::move(event);
  unit->events.push_back(std::move(added));
  return unit;
}

WriteUnitPtr unit_with_room(std::shared_ptr<StoredEvent> event) {
  auto unit = unit_of(std::move(event));
  NewRoom room;
  room.room_id = RoomId::trusted("!room" + std::to_string(to_int(unit->room)));
  room.version = "12";
  unit->new_room = std::move(room);
  HeadUpdate head;
  head.extremities = {unit->events.front().stored->nid};
  unit->head = std::move(head);
  return unit;
}

}  // namespace causeway::test
