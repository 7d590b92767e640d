// The fixture of tests with two servers that call each other directly.
#pragma once

#include <gtest/gtest.h>

#include "homeserver/test/support/rooms_kit.hpp"

namespace causeway::test {

struct FederatedRoomsTest : testing::Test {
  asio::io_context reactor;
  RoomsKit here{reactor, "here.example"};
  RoomsKit there{reactor, "there.example"};
  Sender alice = here.user("alice");
  Sender bob = there.user("bob");
  RoomId room;

  FederatedRoomsTest() {
    here.remote.add(there);
    there.remote.add(here);
  }

  void start(const char* version = "12") {
    room = here.create_public_room(alice, version);
    auto joined = there.join(bob, room, {here.self.name});
    ASSERT_TRUE(joined) << joined.error().message;
  }

  // What one server made since, to the other.
  ReceiveOutcome deliver(RoomsKit& from, RoomsKit& to, const EventId& id) {
    return to.receive(from.self.name, from.event(id)->event);
  }

  std::map<std::string, std::string> state_ids(RoomsKit& kit) {
    std::map<std::string, std::string> ids;
    for (const auto& [key, event] : kit.state(room))
      ids[key] = event->id().str();
    return ids;
  }

  bool is_in_timeline(const EventId& id) {
    return std::ranges::any_of(here.timeline(room), [&](const auto& shown) { return shown->event->id() == id; });
  }

  EventPtr there_makes(const std::string& type, std::optional<std::string> state_key, boost::json::object content,
                       const EventId& prev, std::optional<EventId> redacts = {}) {
    auto state = there.state(room);
    EventDraft draft;
    draft.version = there.room(room)->version;
    draft.room_id = room;
    draft.sender = bob.user;
    draft.type = type;
    draft.state_key = std::move(state_key);
    draft.content = std::move(content);
    draft.redacts = std::move(redacts);
    draft.origin_server_ts = there.clock.now_ms();
    draft.depth = 50;
    draft.prev_events.push_back(prev);
    if (!draft.version->room_id_is_create_hash) draft.auth_events.push_back(state.at("m.room.create|")->id());
    for (const auto& key : {std::string("m.room.power_levels|"), "m.room.member|" + bob.user.str()})
      draft.auth_events.push_back(state.at(key)->id());
    return there.make_event(std::move(draft));
  }
};

}  // namespace causeway::test
