// Hand-made events for tests of the room core: no signatures, identifiers as the test wants them.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "homeserver/rooms/auth/auth_rules.hpp"
#include "schema/events/event.hpp"
#include "schema/json/json.hpp"

namespace causeway::test {

// An event in words. `content` is JSON text.
struct EventText {
  std::string type;
  std::optional<std::string> state_key;
  std::string sender;
  std::string content = "{}";
};

struct EventPlace {
  std::string id = "$event";
  std::string room_id = "!room:a";  // "": the event does not carry one
  Timestamp ts = 1;
  std::vector<std::string> prev_events = {"$prev"};
  std::vector<std::string> auth_events = {};
  std::int64_t depth = 1;
  std::string redacts = {};  // of an m.room.redaction
};

EventPtr make_event(const RoomVersion& version, const EventText& text, const EventPlace& place);

// The room ID that goes with the create event "$create".
std::string room_id_of(const RoomVersion& version);

// A create event "$create" of @alice:a.
EventPtr make_create(const RoomVersion& version, const std::string& content = "{}");

class FakeState : public AuthState {
 public:
  const Event* find(std::string_view type, std::string_view state_key) const override {
    const auto found = events_.find({std::string(type), std::string(state_key)});
    return found == events_.end() ? nullptr : found->second.get();
  }
  void set(EventPtr event) { events_[{event->type(), event->state_key().value_or("")}] = event; }
  void erase(const std::string& type, const std::string& state_key) { events_.erase({type, state_key}); }

 private:
  std::map<StateKey, EventPtr> events_;
};

}  // namespace causeway::test
