#include "homeserver/test/support/room_story.hpp"

namespace causeway::test {

RoomStory::RoomStory(const std::string& id)
    : room_id(RoomId::trusted(id)),
      database(database_settings(test_database_.url())),
      writer(reactor.get_executor(), test_database_.url(), WriterSettings(), hub, metrics),
      interner(database),
      events(database, hub.recent()),
      states(database),
      reader(database, hub, interner, events, states) {
  hub.feed(events);
  hub.start_at(writer.take_over());
}

StoredEventPtr RoomStory::send(const EventText& text) {
  auto unit = std::make_shared<WriteUnit>();
  auto event = stored(text);
  if (text.state_key) change_state(*unit, *event);
  if (event->event->membership()) change_membership(*unit, *event);
  return commit(std::move(unit), std::move(event));
}

StoredEventPtr RoomStory::message(const std::string& sender, const std::string& body) {
  return send({"m.room.message", {}, sender, R"({"msgtype":"m.text","body":")" + body + "\"}"});
}

StoredEventPtr RoomStory::member(const std::string& user, const std::string& membership, const std::string& sender) {
  return send({"m.room.member", user, sender.empty() ? user : sender, R"({"membership":")" + membership + "\"}"});
}

StoredEventPtr RoomStory::visibility(const std::string& value) {
  return send({"m.room.history_visibility", "", "@alice:a", R"({"history_visibility":")" + value + "\"}"});
}

StoredEventPtr RoomStory::message_on_fork(const std::string& sender, const std::string& value) {
  auto unit = std::make_shared<WriteUnit>();
  auto setting = stored({"m.room.history_visibility", "", sender, R"({"history_visibility":")" + value + "\"}"});
  setting->key = run(interner.state_key(StateKey{"m.room.history_visibility", ""}));
  unit->events.push_back({setting, Placement::outlier});
  const std::int32_t line = next_line_++;
  unit->lines.push_back({line, StateRef{0, state_version_}});
  unit->state.push_back({line, 1, *setting->key, setting->nid});
  auto event = stored({"m.room.message", {}, sender, R"({"msgtype":"m.text","body":"fork"})"});
  event->before = StateRef{line, 1};
  return commit(std::move(unit), std::move(event));
}

std::shared_ptr<StoredEvent> RoomStory::stored(const EventText& text) {
  auto event = std::make_shared<StoredEvent>();
  event->nid = EventNid{next_nid_++};
  event->room = room;
  event->sender = nid_of(text.sender);
  event->before = StateRef{0, state_version_};
  event->flags = db::EventFlags::local;
  event->event = make_event(*find_room_version("11"), text,
                            {.id = "$" + std::to_string(to_int(event->nid)), .room_id = room_id.str()});
  return event;
}

void RoomStory::change_state(WriteUnit& unit, StoredEvent& event) {
  StateKey key{event.event->type(), *event.event->state_key()};
  event.key = run(interner.state_key(std::move(key)));
  event.after = StateRef{0, ++state_version_};
  unit.state.push_back({0, state_version_, *event.key, event.nid});
}

void RoomStory::change_membership(WriteUnit& unit, const StoredEvent& event) {
  const UserId user = UserId::trusted(*event.event->state_key());
  const auto membership = db::parse_membership(*event.event->membership()).value();
  count_server(unit, user, membership == db::Membership::join);
  if (user.server() != "a") return;
  MembershipChange change;
  change.user = nid_of(user.str());
  change.room = room;
  change.membership = membership;
  change.event = event.nid;
  unit.memberships.push_back(std::move(change));
}

void RoomStory::count_server(WriteUnit& unit, const UserId& user, bool joined) {
  auto& members = joined_by_server_[std::string(user.server())];
  const bool was_in = !members.empty();
  if (joined)
    members.insert(user.str());
  else
    members.erase(user.str());
  if (was_in == !members.empty()) return;
  std::vector<ServerName> names(1, user.server_name());
  unit.servers.push_back({run(interner.servers(std::move(names))).front(), 0, joined});
}

StoredEventPtr RoomStory::commit(WriteUnitPtr unit, std::shared_ptr<StoredEvent> event) {
  unit->room = room;
  if (to_int(event->nid) == 1) unit->new_room = NewRoom{room_id, "11", 1};
  unit->events.push_back({event, Placement::live});
  HeadUpdate head;
  head.extremities = {event->nid};
  head.state_version = state_version_;
  head.next_line = next_line_;
  unit->head = std::move(head);
  Result<>(run(writer.commit(std::move(unit)))).value();
  return event;
}

}  // namespace causeway::test
