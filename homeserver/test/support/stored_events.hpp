// Stored events and write units made by hand, for tests of storage.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "homeserver/stream/write_unit.hpp"

namespace causeway::test {

struct EventSpec {
  std::int64_t nid = 0;
  std::int64_t room = 1;
  std::string type = "m.room.message";
  std::optional<StateKeyNid> key;
  std::string state_key = {};
  std::string body = "hello";
  std::string id = {};  // "$<nid>" when empty
  std::vector<std::int64_t> auth = {};
};

// Without a place: what the writer is given.
std::shared_ptr<StoredEvent> stored_event(const EventSpec& spec);
std::shared_ptr<StoredEvent> stored_message(std::int64_t nid, std::int64_t room);

// A unit of one live event, in its room.
WriteUnitPtr unit_of(std::shared_ptr<StoredEvent> event);
// The same with the room itself.
WriteUnitPtr unit_with_room(std::shared_ptr<StoredEvent> event);

}  // namespace causeway::test
