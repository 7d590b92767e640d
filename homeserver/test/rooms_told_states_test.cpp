// States that a peer tells: they add to what is known of a room and replace nothing of it.
#include <gtest/gtest.h>

#include "homeserver/test/support/federated_rooms.hpp"

namespace causeway::test {
namespace {

using Kind = ChangeMembership::Kind;
using boost::json::object;

// Of the state before a join, the resident server leaves out what it would like undone.
class LyingRemote final : public DirectRemote {
 public:
  explicit LyingRemote(RoomsKit& self) : DirectRemote(self) {}
  std::function<Task<>()> before_join;
  std::set<std::string> left_out;  // types

  Task<Result<RemoteJoin>> join(MembershipTemplate membership, std::vector<ServerName> via) override {
    auto before = std::exchange(before_join, nullptr);
    const bool is_last = static_cast<bool>(before);
    if (before) co_await before();
    auto joined = co_await DirectRemote::join(std::move(membership), std::move(via));
    if (joined && is_last)
      std::erase_if(joined->state, [&](const auto& event) { return left_out.contains(event.event()->type()); });
    co_return joined;
  }
};

class ToldStatesTest : public FederatedRoomsTest {
 protected:
  const Sender carol = there.user("carol");

  ChangeMembership joining(const Sender& user) {
    ChangeMembership change;
    change.kind = Kind::join;
    change.sender = user;
    change.target = user.user;
    change.room = room;
    change.membership = db::Membership::join;
    change.via.push_back(here.self.name);
    return change;
  }
  // Without another run of the reactor.
  Task<> bring(RoomsKit& from, RoomsKit& to, EventId id) {
    auto stored = co_await from.events->by_id(id);
    auto outcome = co_await to.rooms->receive(from.self.name, TestVerifiedEvents::of(stored->event));
    EXPECT_EQ(outcome.result, Received::accepted) << outcome.reason;
  }
  Task<EventId> sends(RoomsKit& kit, Sender sender, std::string type) {
    SendEvent event;
    event.sender = std::move(sender);
    event.room = room;
    event.type = std::move(type);
    event.content["body"] = "of " + kit.self.name.str();
    auto sent = co_await kit.rooms->send(std::move(event));
    co_return sent.value();
  }

  std::vector<EventId> ids_of(const std::map<std::string, EventPtr>& state, const std::set<std::string>& without = {}) {
    std::vector<EventId> ids;
    for (const auto& [key, event] : state)
      if (!without.contains(event->type())) ids.push_back(event->id());
    return ids;
  }
};

TEST_F(ToldStatesTest, state_told_at_a_join_undoes_nothing_when_another_local_user_came_in_meanwhile) {
  for (const char* version : {"6", "10", "11", "12"}) {
    SCOPED_TRACE(version);
    room = here.create_public_room(alice, version);
    LyingRemote lying(there);
    lying.add(here);
    there.rooms->set_remote(lying);
    lying.left_out = {"m.room.topic", "m.room.history_visibility"};
    ASSERT_TRUE(here.set_state(alice, room, "m.room.topic", "", object{{"topic", "to be kept"}}));
    // Carol comes in first; then the room forks, so that Bob's join names one event that is known there and one that is
    // not.
    lying.before_join = [this]() -> Task<> {
      auto joined = co_await there.rooms->change_membership(joining(carol));
      EXPECT_TRUE(joined);
      (void)co_await sends(here, alice, "m.room.message");
      auto seen = co_await sends(there, carol, "m.room.message");
      co_await bring(there, here, seen);
    };
    const auto joined = there.join(bob, room, {here.self.name});
    ASSERT_TRUE(joined) << joined.error().message;
    EXPECT_EQ(state_ids(there), state_ids(here));
    there.restart();
    EXPECT_EQ(state_ids(there), state_ids(here));
    there.rooms->set_remote(there.remote);
  }
}

TEST_F(ToldStatesTest, what_came_meanwhile_is_not_asked_of_what_was_told) {
  start();
  const EventId first = there.send(bob, room, "first").value();
  const EventId second = there.send(bob, room, "second").value();
  ASSERT_EQ(deliver(there, here, second).result, Received::missing);
  ASSERT_EQ(deliver(there, here, first).result, Received::accepted);
  const auto before = state_ids(here);
  std::vector<ToldState> told(1, ToldState{first, ids_of(here.state(room), {"m.room.join_rules"})});
  auto received = here.run(here.rooms->receive_with_state(
      there.self.name, TestVerifiedEvents::of(there.event(second)->event), std::move(told)));
  EXPECT_EQ(received.result, Received::accepted);
  EXPECT_EQ(state_ids(here), before);
  EXPECT_EQ(here.event(second)->before, here.room(room)->state) << "no state beside the room's";
}

TEST_F(ToldStatesTest, each_missing_parent_must_be_told_of) {
  start();
  const EventId base = here.timeline(room).back()->event->id();
  std::vector<EventPtr> unseen;
  for (const char* text : {"one", "other"})
    unseen.push_back(there_makes("m.room.message", {}, object{{"body", text}}, base));
  EventDraft draft;
  draft.version = there.room(room)->version;
  draft.room_id = room;
  draft.sender = bob.user;
  draft.type = "m.room.message";
  draft.content["body"] = "on both";
  for (const auto& event : unseen)
    draft.prev_events.push_back(event->id());
  for (const auto& id : unseen.front()->auth_events())
    draft.auth_events.push_back(id);
  draft.depth = 60;
  const EventPtr both = there.make_event(std::move(draft));
  std::vector<ToldState> told(1, ToldState{unseen.front()->id(), ids_of(here.state(room))});
  EXPECT_EQ(here.run(here.rooms->receive_with_state(there.self.name, TestVerifiedEvents::of(both), told)).result,
            Received::missing);
  told.push_back(ToldState{unseen.back()->id(), ids_of(here.state(room))});
  EXPECT_EQ(here.run(here.rooms->receive_with_state(there.self.name, TestVerifiedEvents::of(both), told)).result,
            Received::accepted);
}

TEST_F(ToldStatesTest, parent_that_is_a_state_event_counts_where_the_state_before_it_allows_it) {
  start();
  there.clock.advance(std::chrono::seconds(1));
  const EventId base = here.timeline(room).back()->event->id();
  const EventPtr renamed =
      there_makes("m.room.member", bob.user.str(), object{{"membership", "join"}, {"displayname", "Bob"}}, base);
  const EventPtr topic = there_makes("m.room.topic", "", object{{"topic", "by one who may not"}}, base);
  for (const auto& [parent, counts] : {std::pair{renamed, true}, std::pair{topic, false}}) {
    const auto before = state_ids(here);
    const EventPtr message = there_makes("m.room.message", {}, object{{"body", parent->type()}}, parent->id());
    std::vector<ToldState> told(1, ToldState{parent->id(), ids_of(here.state(room)), TestVerifiedEvents::of(parent)});
    auto received =
        here.run(here.rooms->receive_with_state(there.self.name, TestVerifiedEvents::of(message), std::move(told)));
    EXPECT_EQ(received.result, Received::accepted) << received.reason;
    EXPECT_EQ(here.event(parent->id()) != nullptr, counts) << "what does not count is not kept";
    EXPECT_EQ(state_ids(here) == before, !counts);
  }
}

TEST_F(ToldStatesTest, what_was_accepted_outside_the_timeline_stays_so_whatever_is_told_of_its_place) {
  start();
  const std::set<std::string> no_members{"m.room.member", "m.room.join_rules"};
  const EventId base = here.timeline(room).back()->event->id();
  const EventPtr unseen = there_makes("m.room.message", {}, object{{"body", "unseen"}}, base);
  const EventPtr renamed = there_makes("m.room.member", bob.user.str(),
                                       object{{"membership", "join"}, {"displayname", "Bob"}}, unseen->id());
  std::vector<VerifiedEvent> known(1, TestVerifiedEvents::of(renamed));
  ASSERT_TRUE(here.run(here.rooms->add_outliers(room, here.room(room)->version, std::move(known))).empty());
  std::vector<ToldState> told(1, ToldState{unseen->id(), ids_of(here.state(room), no_members)});
  auto received =
      here.run(here.rooms->receive_with_state(there.self.name, TestVerifiedEvents::of(renamed), std::move(told)));
  EXPECT_EQ(received.result, Received::missing) << "another server may tell the truth";
  EXPECT_FALSE(here.event(renamed->id())->order);
  // A lie about the event before it, which nothing is known of yet, comes to the same.
  const EventPtr before = there_makes("m.room.message", {}, object{{"body", "x"}}, EventId::trusted("$nowhere"));
  told.assign(1, ToldState{EventId::trusted("$nowhere"), ids_of(here.state(room), no_members)});
  received = here.run(here.rooms->receive_with_state(there.self.name, TestVerifiedEvents::of(before), std::move(told)));
  ASSERT_EQ(received.result, Received::rejected);
  const EventPtr later = there_makes("m.room.member", bob.user.str(),
                                     object{{"membership", "join"}, {"displayname", "Robert"}}, before->id());
  known.assign(1, TestVerifiedEvents::of(later));
  ASSERT_TRUE(here.run(here.rooms->add_outliers(room, here.room(room)->version, std::move(known))).empty());
  EXPECT_EQ(here.receive(there.self.name, later).result, Received::rejected);
  EXPECT_FALSE(here.event(later->id())->has(db::EventFlags::rejected)) << "others may cite it";
  EXPECT_TRUE(here.event(later->id())->has(db::EventFlags::soft_failed));
  EXPECT_FALSE(is_in_timeline(later->id()));
}

}  // namespace
}  // namespace causeway::test
