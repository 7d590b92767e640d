// Invites between two servers: shown, declined and accepted, also while something else happens to the user.
#include <gtest/gtest.h>

#include "homeserver/test/support/federated_rooms.hpp"

namespace causeway::test {
namespace {

using Kind = ChangeMembership::Kind;

TEST_F(FederatedRoomsTest, invite_of_another_servers_user_is_shown_there_and_can_be_declined_or_accepted) {
  room = here.create_room(alice);
  ASSERT_TRUE(here.change(Kind::invite, alice, bob.user, room));
  EXPECT_EQ(here.membership(room, bob.user), "invite");
  auto invited = there.run(there.reader->memberships(bob.nid));
  ASSERT_EQ(invited->size(), 1u);
  EXPECT_EQ(invited->front().membership, db::Membership::invite);
  EXPECT_NE(invited->front().stripped_state.value_or("").find("m.room.create"), std::string::npos);

  ASSERT_TRUE(there.change(Kind::leave, bob, bob.user, room));
  EXPECT_EQ(here.membership(room, bob.user), "leave");
  EXPECT_EQ(there.run(there.reader->memberships(bob.nid))->front().membership, db::Membership::leave);

  ASSERT_TRUE(here.change(Kind::invite, alice, bob.user, room));
  auto joined = there.join(bob, room);
  ASSERT_TRUE(joined) << joined.error().message;
  EXPECT_EQ(here.membership(room, bob.user), "join");
  EXPECT_EQ(state_ids(here), state_ids(there));
}

struct DeclinedInviteTest : FederatedRoomsTest {
  Sender carol = here.user("carol");
  // The user's own leave, and what their row says.
  void expect_left(const Sender& user) {
    const auto row = here.run(here.reader->membership(user.nid, here.room(room)->nid));
    ASSERT_TRUE(row);
    EXPECT_EQ(row->membership, db::Membership::leave);
    std::vector<EventNid> nids(1, row->event);
    const auto own = here.run(here.events->by_nid(std::move(nids))).front();
    ASSERT_TRUE(own);
    EXPECT_EQ(own->event->sender(), user.user);
    EXPECT_TRUE(own->event->is_state("m.room.member", user.user.str()));
    EXPECT_EQ(own->event->membership(), "leave");
  }
};

TEST_F(DeclinedInviteTest, declining_an_invite_into_a_room_that_all_have_left_is_part_of_its_state) {
  for (const auto& version : supported_room_versions()) {
    SCOPED_TRACE(version.id);
    room = here.create_public_room(alice, std::string(version.id));
    ASSERT_TRUE(here.change(Kind::invite, alice, carol.user, room));
    ASSERT_TRUE(here.change(Kind::leave, alice, alice.user, room));
    ASSERT_FALSE(here.room(room)->resident);
    ASSERT_TRUE(here.change(Kind::leave, carol, carol.user, room));
    expect_left(carol);
    EXPECT_EQ(here.membership(room, carol.user), "leave");
    EXPECT_EQ(here.timeline(room).back()->event->sender(), carol.user);
    EXPECT_FALSE(here.room(room)->resident);
  }
  here.restart();
  expect_left(carol);
}

TEST_F(DeclinedInviteTest, a_room_that_only_others_are_still_in_learns_of_it) {
  start();
  ASSERT_TRUE(here.change(Kind::invite, alice, carol.user, room));
  const EventId invite = here.timeline(room).back()->event->id();
  ASSERT_EQ(deliver(here, there, invite).result, Received::accepted);
  ASSERT_TRUE(here.change(Kind::leave, alice, alice.user, room));
  ASSERT_TRUE(here.change(Kind::leave, carol, carol.user, room));
  EXPECT_EQ(there.membership(room, carol.user), "leave");
  expect_left(carol);
}

// What the user's row says must be what the room's state says, whichever of two requests comes first.
struct MembershipRaceTest : FederatedRoomsTest {
  db::Membership in_row(RoomsKit& kit, const Sender& user) {
    auto row = kit.run(kit.reader->membership(user.nid, kit.room(room)->nid));
    return row ? row->membership : db::Membership::leave;
  }
  ChangeMembership request(Kind kind, const Sender& user) {
    ChangeMembership change;
    change.kind = kind;
    change.sender = user;
    change.target = user.user;
    change.room = room;
    change.membership = kind == Kind::join ? db::Membership::join : db::Membership::leave;
    return change;
  }
};

TEST_F(MembershipRaceTest, who_joins_while_an_invite_is_being_declined_is_out_afterwards) {
  room = here.create_public_room(alice);
  ASSERT_TRUE(here.change(Kind::invite, alice, bob.user, room));
  there.remote.during_leave = [this]() -> Task<> {
    auto joined = co_await there.rooms->change_membership(request(Kind::join, bob));
    EXPECT_TRUE(joined);
  };
  ASSERT_TRUE(there.change(Kind::leave, bob, bob.user, room));
  EXPECT_EQ(in_row(there, bob), db::Membership::leave);
  EXPECT_EQ(there.membership(room, bob.user), "leave");
}

TEST_F(MembershipRaceTest, invite_that_comes_while_another_one_is_being_declined_stays) {
  room = here.create_room(alice);
  ASSERT_TRUE(here.change(Kind::invite, alice, bob.user, room));
  there.remote.during_leave = [this]() -> Task<> {
    auto again = request(Kind::invite, alice);
    again.target = bob.user;
    again.membership = db::Membership::invite;
    auto invited = co_await here.rooms->change_membership(std::move(again));
    EXPECT_TRUE(invited);
  };
  ASSERT_TRUE(there.change(Kind::leave, bob, bob.user, room));
  EXPECT_EQ(here.membership(room, bob.user), "invite");
  EXPECT_EQ(in_row(there, bob), db::Membership::invite);
}

TEST_F(MembershipRaceTest, who_joins_while_the_room_is_being_forgotten_is_in_it) {
  room = here.create_public_room(alice);
  for (int steps = 0; steps < 12; ++steps) {
    SCOPED_TRACE(steps);
    const Sender carol = here.user("carol" + std::to_string(steps));
    ASSERT_TRUE(here.join(carol, room));
    ASSERT_TRUE(here.change(Kind::leave, carol, carol.user, room));
    std::optional<Result<>> joined, forgotten;
    spawn(reactor, here.rooms->change_membership(request(Kind::join, carol)),
          [&](std::exception_ptr, Result<> result) { joined = std::move(result); });
    reactor.restart();
    for (int step = 0; step < steps && !joined; ++step)
      reactor.run_one();
    spawn(reactor, here.rooms->forget(carol, room),
          [&](std::exception_ptr, Result<> result) { forgotten = std::move(result); });
    reactor.restart();
    reactor.run();
    ASSERT_TRUE(joined && forgotten);
    ASSERT_TRUE(*joined) << joined->error().message;
    EXPECT_EQ(in_row(here, carol), db::Membership::join);
    here.restart();
    EXPECT_EQ(in_row(here, carol), db::Membership::join);
  }
}

}  // namespace
}  // namespace causeway::test
