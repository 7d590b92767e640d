#include "homeserver/test/support/sync_kit.hpp"

#include <gtest/gtest.h>

namespace causeway::test {

SyncKit::Life::Life(SyncKit& kit, StreamHub& hub, std::uint32_t epoch)
    : events(kit.database, hub.recent()),
      states(kit.database),
      reader(kit.database, hub, kit.interner, events, states),
      serializer(hub, events, states, reader, kit.clock),
      receipts(ReceiptService::Services{kit.database, hub, kit.writer, events, reader, kit.interner, kit.clock}),
      typing(kit.reactor.get_executor(), kit.clock, epoch),
      notifier(kit.reactor.get_executor()),
      sync(SyncServices{kit.database, hub, reader, events, states, kit.interner, serializer, kit.accounts, receipts,
                        typing, notifier, kit.clock, kit.metrics}) {
  hub.feed(events);
}

SyncKit::SyncKit() : life(std::make_unique<Life>(*this, hub, 1)) {}

SyncKit::~SyncKit() {
  life->notifier.drain();
  drive([this] { return life->notifier.waiting() == 0; });
}

Member SyncKit::member(const std::string& localpart) {
  Member made;
  made.id = register_user(localpart);
  const Login login = log_in(made.id, "PHONE");
  made.nid = login.user_nid;
  made.requester = authenticate(login.access_token).value();
  return made;
}

void SyncKit::drive(const std::function<bool()>& until) {
  reactor.restart();
  // Work that comes back from a database thread is not counted as work of the reactor.
  const auto busy = asio::make_work_guard(reactor);
  while (!until())
    reactor.run_one();
}

void SyncKit::drive_until_waiting(std::size_t requests) {
  drive([&] { return life->notifier.waiting() == requests; });
}

boost::json::object SyncKit::sync(const SyncRequest& request) {
  auto reply = finish(life->sync.sync(request));
  EXPECT_TRUE(reply) << reply.error().message;
  return boost::json::parse(*reply).as_object();
}

SyncRequest SyncKit::request(const Member& member, std::string since, std::string filter) {
  SyncRequest made;
  made.viewer = viewer_of(member.requester);
  if (!since.empty()) made.since = std::move(since);
  made.filter = std::move(filter);
  return made;
}

std::uint64_t SyncKit::round_trips_of(const std::function<void()>& action) {
  const auto before = database.round_trips();
  action();
  return database.round_trips() - before;
}

ScriptedRoom::ScriptedRoom(SyncKit& kit, const std::string& name, const Member& creator,
                           const std::string& history_visibility)
    : id(RoomId::trusted("!" + name + ":example.org")), kit_(kit) {
  nid = kit_.finish(kit_.interner.next_room());
  std::vector<Draft> drafts = {
      {creator, "m.room.create", "", {{"room_version", "11"}}, {}},
      {creator, "m.room.member", creator.id.str(), {{"membership", "join"}}, creator},
      {creator, "m.room.power_levels", "", {}, {}},
      {creator, "m.room.join_rules", "", {{"join_rule", "public"}}, {}},
      {creator, "m.room.history_visibility", "", {{"history_visibility", history_visibility}}, {}},
  };
  write(std::move(drafts), true);
}

EventId ScriptedRoom::message(const Member& sender, const std::string& body) {
  boost::json::object content{{"msgtype", "m.text"}, {"body", body}};
  return write({{sender, "m.room.message", std::nullopt, std::move(content), {}}}).front();
}

EventId ScriptedRoom::state(const Member& sender, const std::string& type, const std::string& state_key,
                            boost::json::object content) {
  return write({{sender, type, state_key, std::move(content), {}}}).front();
}

EventId ScriptedRoom::membership(const Member& sender, const Member& target, const std::string& membership,
                                 const std::string& display_name) {
  boost::json::object content{{"membership", membership}};
  if (!display_name.empty()) content["displayname"] = display_name;
  return write({{sender, "m.room.member", target.id.str(), std::move(content), target}}).front();
}

RoomInfoPtr ScriptedRoom::info() {
  return kit_.finish(kit_.life->reader.room(nid));
}

std::vector<EventId> ScriptedRoom::write(std::vector<Draft> drafts, bool is_new) {
  auto unit = std::make_shared<WriteUnit>();
  unit->room = nid;
  if (is_new) unit->new_room = NewRoom{id, "11", kit_.clock.now_ms()};
  std::vector<EventId> ids;
  for (const Draft& draft : drafts)
    ids.push_back(add(*unit, draft)->event->id());
  unit->head.emplace();
  unit->head->extremities.push_back(*last_nid_);
  unit->head->state_version = state_version_;
  const auto committed = kit_.finish(kit_.writer.commit(unit));
  EXPECT_TRUE(committed) << committed.error().message;
  return ids;
}

std::shared_ptr<StoredEvent> ScriptedRoom::add(WriteUnit& unit, const Draft& draft) {
  EventDraft event;
  event.version = find_room_version("11");
  event.room_id = id;
  event.sender = draft.sender.id;
  event.type = draft.type;
  event.state_key = draft.state_key;
  event.content = draft.content;
  event.origin_server_ts = kit_.clock.now_ms();
  event.depth = ++depth_;
  if (last_) event.prev_events.push_back(*last_);
  auto stored = std::make_shared<StoredEvent>();
  stored->event = build_event(std::move(event), kit_.server, kit_.key).value();
  stored->nid = kit_.finish(kit_.interner.next_event());
  stored->room = nid;
  stored->sender = draft.sender.nid;
  stored->before.version = state_version_;
  if (draft.state_key) {
    StateKey key;
    key.type = draft.type;
    key.state_key = *draft.state_key;
    stored->key = kit_.finish(kit_.interner.state_key(std::move(key)));
    stored->after.emplace();
    stored->after->version = ++state_version_;
    unit.state.push_back(StateChange{0, state_version_, *stored->key, stored->nid});
  }
  if (draft.target) {
    const auto membership = db::parse_membership(*stored->event->membership()).value();
    unit.memberships.push_back(MembershipChange{draft.target->nid, nid, membership, stored->nid, {}, false});
  }
  last_ = stored->event->id();
  last_nid_ = stored->nid;
  unit.events.push_back(NewEvent{stored, Placement::live});
  return stored;
}

}  // namespace causeway::test
