// The fixture of tests of /sync, and looking into its replies.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "homeserver/test/support/sync_kit.hpp"
#include "schema/json/json.hpp"
#include "schema/matrix/ids.hpp"

namespace causeway::test {

inline std::string next_batch(const boost::json::object& reply) {
  return std::string(reply.at("next_batch").as_string());
}

// The room in a section of the reply; nullptr when it is not there.
inline const boost::json::object* room_in(const boost::json::object& reply, const char* section, const RoomId& room) {
  const auto* rooms = json::find_object(reply, "rooms");
  const auto* found = rooms ? json::find_object(*rooms, section) : nullptr;
  return found ? json::find_object(*found, room.str()) : nullptr;
}

// "type|state_key" or "type:body" of each event.
inline std::vector<std::string> events_of(const boost::json::object& room, const char* part) {
  std::vector<std::string> names;
  for (const auto& entry : room.at(part).at("events").as_array()) {
    const boost::json::object& event = entry.as_object();
    std::string name(event.at("type").as_string());
    if (const auto* key = event.if_contains("state_key")) name += "|" + std::string(key->as_string());
    if (const auto* content = json::find_object(event, "content"))
      if (auto body = json::find_string(*content, "body")) name += ":" + std::string(*body);
    names.push_back(std::move(name));
  }
  return names;
}

inline std::vector<std::string> bodies(const boost::json::object& room) {
  std::vector<std::string> texts;
  for (const auto& event : room.at("timeline").at("events").as_array())
    if (auto body = json::find_string(event.at("content").as_object(), "body")) texts.emplace_back(*body);
  return texts;
}

inline const boost::json::object* ephemeral(const boost::json::object& room, const std::string& type) {
  for (const auto& event : room.at("ephemeral").at("events").as_array())
    if (event.at("type").as_string() == type) return &event.at("content").as_object();
  return nullptr;
}

class SyncTest : public testing::Test {
 protected:
  SyncKit kit;
  Member alice = kit.member("alice"), bob = kit.member("bob");

  boost::json::object sync(const Member& member, std::string since = "", std::string filter = "") {
    return kit.sync(kit.request(member, std::move(since), std::move(filter)));
  }
};

}  // namespace causeway::test
