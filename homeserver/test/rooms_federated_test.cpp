// Rooms of two servers that call each other directly: joins, forks, soft failure, backfill, invites.
#include <gtest/gtest.h>

#include "homeserver/test/support/federated_rooms.hpp"
#include "schema/db/tables/writer.hpp"
#include "schema/json/json.hpp"

namespace causeway::test {
namespace {

using Kind = ChangeMembership::Kind;
using boost::json::object;

TEST_F(FederatedRoomsTest, event_that_can_not_be_written_for_now_is_not_refused_and_is_accepted_later) {
  start();
  const EventId sent = here.send(alice, room, "later").value();
  auto fence = [](db::Connection& c) { return db::take_over_stream(c, db::WriterId()); };
  there.database->run_blocking(fence);
  EXPECT_THROW(deliver(here, there, sent), db::Unavailable);
  there.restart();
  EXPECT_EQ(deliver(here, there, sent).result, Received::accepted);
}

TEST_F(FederatedRoomsTest, remote_join_imports_the_room) {
  for (const char* version : {"1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12"}) {
    SCOPED_TRACE(version);
    start(version);
    EXPECT_EQ(state_ids(here), state_ids(there));
    EXPECT_TRUE(there.room(room)->resident);
    EXPECT_EQ(there.membership(room, alice.user), "join");
    EXPECT_EQ(there.timeline(room).size(), 1u) << "only the join itself";
    auto members = here.run(here.reader->members(here.room(room)->nid));
    EXPECT_EQ(members->joined, 2u);
    const EventId sent = here.send(alice, room, "welcome").value();
    EXPECT_EQ(deliver(here, there, sent).result, Received::accepted);
    EXPECT_EQ(deliver(here, there, sent).result, Received::duplicate);
    const EventId reply = there.send(bob, room, "thanks").value();
    EXPECT_EQ(there.event(reply)->event->prev_events().front(), sent);
    EXPECT_EQ(deliver(there, here, reply).result, Received::accepted);
  }
}

TEST_F(FederatedRoomsTest, who_can_not_be_told_the_state_of_a_room_is_not_let_in) {
  room = here.create_public_room(alice);
  here.set_event_limits({.chain_events = 4});
  here.restart();
  const auto refused = there.join(bob, room, {here.self.name});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::resource_limit_exceeded);
  EXPECT_EQ(here.membership(room, bob.user), "");
  here.set_event_limits({});
  here.restart();
  EXPECT_TRUE(there.join(bob, room, {here.self.name}));
}

TEST_F(FederatedRoomsTest, join_is_answered_with_the_state_before_it_where_that_is_not_the_present_one) {
  room = here.create_public_room(alice);
  std::vector<std::string> versions(1, "12");
  auto made = here.run(here.rooms->make_membership_template(room, bob.user, "join", std::move(versions)));
  const auto before = state_ids(here);
  ASSERT_TRUE(here.set_state(alice, room, "m.room.topic", "", object{{"topic", "meanwhile"}}));
  auto join = there.sealed(std::move(made->event), *made->version);
  auto reply = here.run(here.rooms->accept_join(there.self.name, TestVerifiedEvents::of(join)));
  ASSERT_TRUE(reply) << reply.error().message;
  std::map<std::string, std::string> told;
  for (const auto& event : reply->state)
    told[event->event->type() + "|" + *event->event->state_key()] = event->event->id().str();
  EXPECT_EQ(told, before);
}

TEST_F(FederatedRoomsTest, who_is_let_back_in_after_a_ban_is_a_member_again) {
  start();
  ASSERT_TRUE(here.change(Kind::ban, alice, bob.user, room));
  ASSERT_EQ(deliver(here, there, here.timeline(room).back()->event->id()).result, Received::accepted);
  ASSERT_TRUE(here.change(Kind::unban, alice, bob.user, room));
  ASSERT_TRUE(there.join(bob, room, {here.self.name}));
  const auto seen = there.run(there.reader->membership(bob.nid, there.room(room)->nid));
  EXPECT_EQ(seen->membership, db::Membership::join);
  EXPECT_TRUE(there.send(bob, room, "back again"));
}

TEST_F(FederatedRoomsTest, where_servers_choose_ids_the_first_event_with_one_has_it) {
  start("1");
  const EventId base = here.timeline(room).back()->event->id();
  const EventPtr first = there_makes("m.room.message", {}, object{{"body", "first"}}, base);
  ASSERT_EQ(here.receive(there.self.name, first).result, Received::accepted);
  object pdu = json::parse_object(first->json()).value();
  pdu["content"] = object{{"body", "second"}};
  pdu["hashes"] = object{{"sha256", "another"}};
  const auto receive = [&] { return here.receive(there.self.name, Event::from_pdu(first->version(), pdu).value()); };
  EXPECT_EQ(receive().result, Received::refused);
  const RoomId first_room = room;
  start("1");
  pdu["room_id"] = room.str();
  EXPECT_EQ(receive().result, Received::refused);
  EXPECT_EQ(here.event(first->id())->event->json(), first->json());
  EXPECT_EQ(here.timeline(first_room).back()->event->id(), first->id());
}

TEST_F(FederatedRoomsTest, fork_of_the_state_resolves_alike_on_both_sides_and_heals) {
  start();
  object levels = here.state(room).at("m.room.power_levels|")->content();
  levels["users"] = object{{bob.user.str(), 100}};
  const EventId grant = here.set_state(alice, room, "m.room.power_levels", "", levels).value();
  ASSERT_EQ(deliver(here, there, grant).result, Received::accepted);

  here.clock.advance(std::chrono::milliseconds(10));
  const EventId topic_here = here.set_state(alice, room, "m.room.topic", "", object{{"topic", "here"}}).value();
  const EventId name_here = here.set_state(alice, room, "m.room.name", "", object{{"name", "here"}}).value();
  there.clock.advance(std::chrono::milliseconds(20));
  const EventId topic_there = there.set_state(bob, room, "m.room.topic", "", object{{"topic", "there"}}).value();
  const EventId avatar_there = there.set_state(bob, room, "m.room.avatar", "", object{{"url", "mxc://a/b"}}).value();

  EXPECT_EQ(deliver(there, here, topic_there).result, Received::accepted);
  EXPECT_EQ(deliver(there, here, avatar_there).result, Received::accepted);
  EXPECT_EQ(deliver(here, there, topic_here).result, Received::accepted);
  EXPECT_EQ(deliver(here, there, name_here).result, Received::accepted);
  EXPECT_EQ(state_ids(here), state_ids(there));
  EXPECT_EQ(state_ids(here).at("m.room.topic|"), topic_there.str()) << "the later of the two";
  EXPECT_EQ(here.room(room)->extremities.size(), 2u);

  const EventId merge = here.send(alice, room, "merged").value();
  EXPECT_EQ(here.event(merge)->event->prev_events().size(), 2u);
  EXPECT_EQ(here.room(room)->extremities.size(), 1u);
  EXPECT_EQ(deliver(here, there, merge).result, Received::accepted);
  EXPECT_EQ(there.room(room)->extremities.size(), 1u);
  here.restart();
  there.restart();
  EXPECT_EQ(state_ids(here), state_ids(there));
}

TEST_F(FederatedRoomsTest, state_before_an_event_on_a_fork_is_that_of_the_fork) {
  start();
  const EventId base = here.room(room)->extremities.empty() ? EventId() : here.timeline(room).back()->event->id();
  ASSERT_TRUE(here.set_state(alice, room, "m.room.topic", "", object{{"topic", "new"}}));
  const EventPtr message = there_makes("m.room.message", {}, object{{"body", "from before"}}, base);
  ASSERT_EQ(here.receive(there.self.name, message).result, Received::accepted);
  auto stored = here.event(message->id());
  auto info = here.room(room);
  StateKey topic("m.room.topic", "");
  EXPECT_EQ(here.run(here.reader->state_event(info->nid, stored->before, topic)), nullptr);
  EXPECT_NE(here.run(here.reader->state_event(info->nid, info->state, topic)), nullptr);
}

TEST_F(FederatedRoomsTest, event_that_evades_a_ban_is_soft_failed_and_not_built_on) {
  start();
  const EventId base = here.timeline(room).back()->event->id();
  ASSERT_TRUE(here.change(Kind::ban, alice, bob.user, room));
  const EventPtr evasion = there_makes("m.room.message", {}, object{{"body", "still here"}}, base);
  EXPECT_EQ(here.receive(there.self.name, evasion).result, Received::soft_failed);
  for (const auto& shown : here.timeline(room))
    EXPECT_NE(shown->event->id(), evasion->id());
  const EventId next = here.send(alice, room, "quiet").value();
  EXPECT_EQ(here.event(next)->event->prev_events().size(), 1u);
  EXPECT_EQ(here.membership(room, bob.user), "ban");
}

TEST_F(FederatedRoomsTest, event_that_its_state_forbids_is_rejected_and_changes_nothing) {
  start();
  const EventId base = here.timeline(room).back()->event->id();
  const EventPtr topic = there_makes("m.room.topic", "", object{{"topic", "mine"}}, base);
  const ReceiveOutcome outcome = here.receive(there.self.name, topic);
  EXPECT_EQ(outcome.result, Received::rejected);
  EXPECT_FALSE(outcome.reason.empty());
  EXPECT_FALSE(here.state(room).contains("m.room.topic|"));
  EXPECT_EQ(here.timeline(room).back()->event->id(), base);
  const EventPtr message = there_makes("m.room.message", {}, object{{"body", "after it"}}, topic->id());
  EXPECT_EQ(here.receive(there.self.name, message).result, Received::accepted)
      << "what cites a rejected event may pass";
}

TEST_F(FederatedRoomsTest, event_with_unknown_prev_events_is_reported_missing_and_stored_with_a_given_state) {
  start();
  const EventId unseen = there.send(bob, room, "unseen").value();
  const EventId seen = there.send(bob, room, "seen").value();
  const ReceiveOutcome missing = deliver(there, here, seen);
  ASSERT_EQ(missing.result, Received::missing);
  EXPECT_EQ(missing.missing_prev, std::vector<EventId>{unseen});
  std::vector<EventId> state;
  for (const auto& [key, event] : here.state(room))
    state.push_back(event->id());
  auto verified = TestVerifiedEvents::of(there.event(seen)->event);
  std::vector<ToldState> told(1, ToldState{unseen, std::move(state)});
  auto stored = here.run(here.rooms->receive_with_state(there.self.name, std::move(verified), std::move(told)));
  EXPECT_EQ(stored.result, Received::accepted);
  EXPECT_EQ(here.run(here.events->gaps(here.room(room)->nid, 10)).front().missing, unseen);
}

TEST_F(FederatedRoomsTest, outlier_gets_its_place_when_it_arrives) {
  start();
  const EventId sent = there.send(bob, room, "seen twice").value();
  std::vector<VerifiedEvent> fetched(1, TestVerifiedEvents::of(there.event(sent)->event));
  EXPECT_TRUE(here.run(here.rooms->add_outliers(room, here.room(room)->version, std::move(fetched))).empty());
  EXPECT_FALSE(here.event(sent)->order);
  EXPECT_NE(here.timeline(room).back()->event->id(), sent);
  EXPECT_EQ(deliver(there, here, sent).result, Received::accepted);
  EXPECT_EQ(here.timeline(room).back()->event->id(), sent);
  here.restart();
  EXPECT_EQ(here.timeline(room).back()->event->id(), sent);
}

TEST_F(FederatedRoomsTest, redaction_that_comes_first_applies_when_its_target_arrives) {
  start();
  const EventId target = there.send(bob, room, "secret").value();
  const EventPtr original = there.event(target)->event;
  const EventId base = here.timeline(room).back()->event->id();
  const EventPtr redaction = there_makes("m.room.redaction", {}, object{{"redacts", target.str()}}, base);
  ASSERT_EQ(here.receive(there.self.name, redaction).result, Received::accepted);
  EXPECT_FALSE(is_in_timeline(redaction->id())) << "nobody can tell yet whether it applies";
  ASSERT_EQ(here.receive(there.self.name, original).result, Received::accepted);
  EXPECT_TRUE(is_in_timeline(redaction->id()));
  EXPECT_EQ(here.event(target)->event->json().find("secret"), std::string::npos);
  EXPECT_TRUE(here.event(target)->has(db::EventFlags::redacted));
}

TEST_F(FederatedRoomsTest, redaction_that_does_not_apply_is_built_on_but_not_shown) {
  start();
  const EventId target = here.send(alice, room, "stays").value();
  const EventPtr redaction = there_makes("m.room.redaction", {}, object{{"redacts", target.str()}}, target);
  ASSERT_EQ(here.receive(there.self.name, redaction).result, Received::accepted);
  EXPECT_NE(here.event(target)->event->json().find("stays"), std::string::npos);
  EXPECT_FALSE(is_in_timeline(redaction->id()));
  EXPECT_EQ(here.event(here.send(alice, room, "next").value())->event->prev_events().front(), redaction->id());
  here.restart();
  EXPECT_FALSE(is_in_timeline(redaction->id()));
}

TEST_F(FederatedRoomsTest, redaction_of_what_is_not_here_is_kept_back_from_version_3_on) {
  for (const auto& version : supported_room_versions()) {
    SCOPED_TRACE(version.id);
    start(version.id.data());
    const auto target =
        EventId::trusted(version.event_id == EventIdForm::chosen ? "$gone:there.example" : "$" + std::string(43, 'a'));
    const EventId prev = here.timeline(room).back()->event->id();
    const EventPtr redaction = there_makes("m.room.redaction", {}, {}, prev, target);
    ASSERT_EQ(here.receive(there.self.name, redaction).result, Received::accepted);
    EXPECT_EQ(is_in_timeline(redaction->id()), version.redactions_are_authorised);
    EXPECT_EQ(version.redactions_are_authorised, version.id == "1" || version.id == "2");
  }
}

TEST_F(FederatedRoomsTest, large_state_of_a_room_that_is_hardly_known_is_fetched_and_stored) {
  CreateRoom request;
  for (int i = 0; i < 110; ++i) {
    object event;
    event["type"] = "org.example.state";
    event["state_key"] = std::to_string(i);
    event["content"] = object();
    request.initial_state.push_back(std::move(event));
  }
  room = here.create_room(alice, std::move(request));
  ASSERT_TRUE(here.change(Kind::invite, alice, bob.user, room));
  auto at = here.timeline(room).back()->event->id();
  auto state = there.run(there.rooms->fetch_state(there.room(room), at, here.self.name));
  ASSERT_TRUE(state) << state.error().message;
  EXPECT_GT(state->size(), 110u);
  for (const auto& id : *state)
    EXPECT_NE(there.event(id), nullptr);
}

TEST_F(FederatedRoomsTest, joining_a_room_of_many_servers_takes_no_more_round_trips_than_one_of_few) {
  const auto cost_of_joining = [&](int servers) {
    room = here.create_public_room(alice);
    for (int i = 0; i < servers; ++i) {
      RoomsKit other(reactor, "s" + std::to_string(i) + "-" + std::to_string(servers) + ".example");
      other.remote.add(here);
      EXPECT_TRUE(other.join(other.user("dave"), room, {here.self.name}));
    }
    const auto before = there.database->round_trips();
    EXPECT_TRUE(there.join(bob, room, {here.self.name}));
    return there.database->round_trips() - before;
  };
  (void)cost_of_joining(1);  // what is read once
  const auto few = cost_of_joining(2);
  EXPECT_LE(cost_of_joining(8), few + 2);
}

TEST_F(FederatedRoomsTest, server_comes_back_to_a_room_it_left) {
  start();
  const EventId gone = there.run(there.events->by_id(there.timeline(room).back()->event->id()))->event->id();
  ASSERT_TRUE(there.change(Kind::leave, bob, bob.user, room));
  ASSERT_EQ(deliver(there, here, there.timeline(room).back()->event->id()).result, Received::accepted);
  ASSERT_TRUE(here.set_state(alice, room, "m.room.topic", "", object{{"topic", "meanwhile"}}));
  EXPECT_EQ(there.receive(here.self.name, here.timeline(room).back()->event).result, Received::refused);
  auto joined = there.join(bob, room, {here.self.name});
  ASSERT_TRUE(joined) << joined.error().message;
  EXPECT_EQ(state_ids(here), state_ids(there));
  EXPECT_EQ(there.room(room)->extremities.size(), 1u);
  EXPECT_NE(there.event(gone), nullptr);
}

TEST_F(FederatedRoomsTest, backfill_fetches_what_was_before_the_join) {
  room = here.create_public_room(alice);
  for (int i = 0; i < 5; ++i)
    ASSERT_TRUE(here.send(alice, room, std::to_string(i)));
  ASSERT_TRUE(there.join(bob, room, {here.self.name}));
  ASSERT_EQ(there.timeline(room).size(), 1u);
  auto info = there.room(room);
  there.run(there.rooms->backfill(info, *there.timeline(room).front()->order, 100));
  std::vector<std::string> ids_here, ids_there;
  for (const auto& event : here.timeline(room))
    ids_here.push_back(event->event->id().str());
  for (const auto& event : there.timeline(room))
    ids_there.push_back(event->event->id().str());
  EXPECT_EQ(ids_there, ids_here);
  EXPECT_TRUE(there.run(there.events->gaps(info->nid, 10)).empty());
}

// --- several events at once --------------------------------------------------------------------------------------

struct FederatedBatchesTest : FederatedRoomsTest {
  std::vector<ReceiveOutcome> deliver_all(RoomsKit& to, const std::vector<EventPtr>& events) {
    std::vector<VerifiedEvent> verified;
    for (const auto& event : events)
      verified.push_back(TestVerifiedEvents::of(event));
    return to.run(to.rooms->receive(there.self.name, room, std::move(verified)));
  }
  void expect_all(Received result, const std::vector<ReceiveOutcome>& outcomes) {
    for (std::size_t i = 0; i < outcomes.size(); ++i)
      EXPECT_EQ(outcomes[i].result, result) << i << ": " << outcomes[i].reason;
  }
  EventPtr message(const std::string& body, const EventId& prev) {
    return there_makes("m.room.message", {}, object{{"body", body}}, prev);
  }
  EventPtr own_name(const std::string& name, const EventId& prev) {
    return there_makes("m.room.member", bob.user.str(), object{{"membership", "join"}, {"displayname", name}}, prev);
  }
  EventId last() { return here.timeline(room).back()->event->id(); }
};

TEST_F(FederatedBatchesTest, a_chain_of_events_is_one_commit) {
  start();
  std::vector<EventPtr> chain;
  for (int i = 0; i < 20; ++i)
    chain.push_back(there.event(there.send(bob, room, std::to_string(i)).value())->event);
  const auto before = here.writer->round_trips();
  expect_all(Received::accepted, deliver_all(here, chain));
  EXPECT_EQ(here.writer->round_trips() - before, 1u);
  here.restart();
  const auto timeline = here.timeline(room);
  ASSERT_GE(timeline.size(), chain.size());
  for (std::size_t i = 0; i < chain.size(); ++i)
    EXPECT_EQ(timeline[timeline.size() - chain.size() + i]->event->id(), chain[i]->id());
  EXPECT_EQ(here.room(room)->extremities.size(), 1u);
  expect_all(Received::duplicate, deliver_all(here, chain));
}

TEST_F(FederatedBatchesTest, a_redaction_and_its_target_come_together_in_either_order) {
  start();
  const EventId base = last();
  const EventPtr first = message("secret", base), second = message("secret too", base);
  const auto redaction_of = [&](const EventPtr& target, const EventId& prev) {
    return there_makes("m.room.redaction", {}, object{{"redacts", target->id().str()}}, prev);
  };
  const EventPtr after = redaction_of(first, first->id()), before = redaction_of(second, base);
  expect_all(Received::accepted, deliver_all(here, {first, after, before, second}));
  here.restart();
  for (const auto& target : {first, second}) {
    EXPECT_EQ(here.event(target->id())->event->json().find("secret"), std::string::npos);
    EXPECT_TRUE(here.event(target->id())->has(db::EventFlags::redacted));
  }
}

TEST_F(FederatedBatchesTest, branches_and_state_come_to_the_same_together_as_one_by_one) {
  start();
  const EventId base = last();
  std::vector<EventPtr> events{message("one", base), own_name("A", base)};
  events.push_back(message("on the name", events[1]->id()));
  events.push_back(own_name("B", events[0]->id()));
  events.push_back(message("on the other name", events[3]->id()));
  events.push_back(own_name("C", events[4]->id()));
  expect_all(Received::accepted, deliver_all(here, events));
  for (const auto& event : events)
    ASSERT_EQ(there.receive(here.self.name, event).result, Received::accepted);
  here.restart();
  there.restart();
  EXPECT_EQ(state_ids(here), state_ids(there));
  EXPECT_EQ(here.room(room)->extremities.size(), there.room(room)->extremities.size());
  for (const auto& event : events) {
    const auto state_at = [&](RoomsKit& kit) {
      StateKey key("m.room.member", bob.user.str());
      return kit.run(kit.reader->state_event(kit.room(room)->nid, kit.event(event->id())->before, key))->event->id();
    };
    EXPECT_EQ(state_at(here), state_at(there));
  }
}

TEST_F(FederatedBatchesTest, what_is_missing_refused_or_sent_twice_leaves_the_others_alone) {
  start();
  const EventId base = last();
  const EventPtr good = message("good", base), unseen = message("unseen", good->id());
  const EventPtr late = message("late", unseen->id());
  const EventPtr bad = there_makes("m.room.topic", "", object{{"topic", "mine"}}, good->id());
  const auto outcomes = deliver_all(here, {good, late, bad, good, message("good too", good->id())});
  std::vector<Received> results;
  for (const auto& outcome : outcomes)
    results.push_back(outcome.result);
  EXPECT_EQ(results, (std::vector<Received>{Received::accepted, Received::missing, Received::rejected,
                                            Received::duplicate, Received::accepted}));
  EXPECT_EQ(outcomes[1].missing_prev, std::vector<EventId>{unseen->id()});
}

TEST_F(FederatedBatchesTest, an_event_that_can_not_be_stored_does_not_take_the_others_along) {
  start();
  const EventPtr first = message("first", last()), poison = message("poison", first->id()),
                 last_one = message("last", first->id());
  auto forbid = [](db::Connection& c) {
    c.exec("alter table events add constraint no_poison check (position('poison'::bytea in json) = 0)");
  };
  here.run(here.database->run(std::move(forbid)));
  const auto outcomes = deliver_all(here, {first, poison, last_one});
  EXPECT_EQ(outcomes[0].result, Received::accepted);
  EXPECT_EQ(outcomes[1].result, Received::refused);
  EXPECT_EQ(outcomes[2].result, Received::accepted);
  EXPECT_EQ(last(), last_one->id());
}

}  // namespace
}  // namespace causeway::test
