// A room written event by event through the real writer, on a straight line of states, with the services that read it.
#pragma once

#include <map>
#include <set>

#include "homeserver/rooms/reader/room_reader.hpp"
#include "homeserver/runtime/metrics.hpp"
#include "homeserver/stream/event_writer.hpp"
#include "homeserver/stream/stream_hub.hpp"
#include "homeserver/test/support/room_kit.hpp"
#include "homeserver/test/support/run_task.hpp"
#include "schema/test/support/test_database.hpp"

namespace causeway::test {

// Users of server "a" are local.
class RoomStory {
 public:
  explicit RoomStory(const std::string& room_id = "!room:a");

  // Commits one live event. State goes to the main line; memberships and servers follow it.
  StoredEventPtr send(const EventText& text);
  StoredEventPtr message(const std::string& sender, const std::string& body = "hello");
  StoredEventPtr member(const std::string& user, const std::string& membership, const std::string& sender = {});
  StoredEventPtr visibility(const std::string& value);
  // A message whose state before is a line of its own, where the visibility is another.
  StoredEventPtr message_on_fork(const std::string& sender, const std::string& visibility);

  template <class T>
  T run(Task<T> task) {
    return run_task(reactor, std::move(task));
  }
  RoomInfoPtr info() { return run(reader.room(room_id)); }
  UserNid nid_of(const std::string& user) { return run(interner.user(UserId::trusted(user))); }
  // Those of the events that the user may see.
  std::vector<StoredEventPtr> seen_by(const std::string& user, std::vector<StoredEventPtr> of) {
    return run(reader.visible_to(UserId::trusted(user), info(), std::move(of)));
  }

 private:
  static db::Settings database_settings(const std::string& url) {
    db::Settings settings;
    settings.url = url;
    return settings;
  }
  std::shared_ptr<StoredEvent> stored(const EventText& text);
  void change_state(WriteUnit& unit, StoredEvent& event);
  void change_membership(WriteUnit& unit, const StoredEvent& event);
  void count_server(WriteUnit& unit, const UserId& user, bool joined);
  StoredEventPtr commit(WriteUnitPtr unit, std::shared_ptr<StoredEvent> event);

  TestDatabase test_database_{Rows::by_hand};

 public:
  const RoomId room_id;
  const RoomNid room{1};
  asio::io_context reactor;
  Metrics metrics;
  StreamHub hub;
  db::Database database;
  EventWriter writer;
  Interner interner;
  EventStore events;
  StateStore states;
  RoomReader reader;

 private:
  std::int64_t next_nid_ = 1;
  std::int32_t state_version_ = 0;
  std::int32_t next_line_ = 1;
  std::map<std::string, std::set<std::string>> joined_by_server_;
};

}  // namespace causeway::test
