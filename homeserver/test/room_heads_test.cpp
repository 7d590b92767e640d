// Which heads of rooms stay in memory.
#include <gtest/gtest.h>

#include "homeserver/rooms/head/room_head.hpp"
#include "homeserver/test/support/rooms_kit.hpp"

namespace causeway::test {

namespace {

class RoomHeadsTest : public ::testing::Test {
 protected:
  asio::io_context reactor;
  RoomsKit here{reactor};
  RoomHeads heads{
      {*here.database, *here.writer, *here.interner, *here.events, *here.states, *here.reader, here.self.name},
      max_rooms};
  static constexpr std::size_t max_rooms = 20;

  Task<bool> is_known(RoomId room) {
    auto lock = co_await heads.enter(std::move(room));
    co_return lock && lock->known();
  }
  bool enter(const RoomId& room) { return here.run(is_known(room)); }
  static RoomId invented(int number) {
    return RoomId::parse("!invented" + std::to_string(number) + ":elsewhere.example").value();
  }
  // An invite from elsewhere makes a room known that this server is not in.
  RoomId invited_to(const Sender& user, int number) {
    const RoomId room = RoomId::parse("!invites" + std::to_string(number) + ":there.example").value();
    EventDraft draft;
    draft.version = find_room_version("11");
    draft.room_id = room;
    draft.sender = UserId::parse("@mallory:there.example").value();
    draft.type = "m.room.member";
    draft.state_key = user.user.str();
    draft.content["membership"] = "invite";
    auto key = crypto::SigningKey::generate("ed25519:1");
    auto invite = build_event(std::move(draft), ServerName::parse("there.example").value(), key).value();
    auto taken = here.run(here.rooms->accept_invite(ServerName::parse("there.example").value(),
                                                    TestVerifiedEvents::of(std::move(invite)), {}));
    EXPECT_TRUE(taken) << taken.error().message;
    return room;
  }
};

TEST_F(RoomHeadsTest, rooms_that_do_not_exist_take_no_place_and_push_nothing_out) {
  const Sender alice = here.user("alice");
  std::vector<RoomId> rooms;
  std::vector<std::weak_ptr<RoomSlot>> slots;
  for (std::size_t i = 0; i < max_rooms; ++i) {
    rooms.push_back(here.create_room(alice));
    EXPECT_TRUE(enter(rooms.back()));
    slots.push_back(heads.slot(rooms.back()));
  }
  for (int i = 0; i < 1'000; ++i) {
    EXPECT_EQ(heads.find(invented(i)), nullptr);
    if (i % 2 == 0) {
      EXPECT_FALSE(enter(invented(i)));
    } else {
      EXPECT_NE(heads.slot(invented(i)), nullptr);
    }
    EXPECT_EQ(heads.find(invented(i)), nullptr) << "nobody holds it any more";
  }
  EXPECT_EQ(heads.kept(), max_rooms);
  for (std::size_t i = 0; i < max_rooms; ++i) {
    ASSERT_FALSE(slots[i].expired());
    EXPECT_NE(slots[i].lock()->head, nullptr);
  }
}

TEST_F(RoomHeadsTest, rooms_that_others_invite_into_push_out_none_that_this_server_is_in) {
  const Sender alice = here.user("alice");
  std::vector<std::weak_ptr<RoomSlot>> slots;
  for (std::size_t i = 0; i < max_rooms; ++i) {
    const RoomId room = here.create_room(alice);
    EXPECT_TRUE(enter(room));
    slots.push_back(heads.slot(room));
  }
  for (std::size_t i = 0; i < 2 * max_rooms; ++i)
    EXPECT_TRUE(enter(invited_to(alice, static_cast<int>(i))));
  EXPECT_LT(heads.kept(), max_rooms + max_rooms / 2);
  for (const auto& slot : slots)
    EXPECT_FALSE(slot.expired());
}

TEST_F(RoomHeadsTest, the_room_not_used_for_longest_goes_first) {
  const Sender alice = here.user("alice");
  std::vector<RoomId> rooms;
  for (std::size_t i = 0; i < max_rooms + 2; ++i)
    rooms.push_back(here.create_room(alice));
  for (std::size_t i = 0; i < max_rooms; ++i)
    EXPECT_TRUE(enter(rooms[i]));
  EXPECT_TRUE(enter(rooms[0]));
  for (std::size_t i = max_rooms; i < rooms.size(); ++i)
    EXPECT_TRUE(enter(rooms[i]));
  EXPECT_NE(heads.find(rooms[0]), nullptr);
  EXPECT_EQ(heads.find(rooms[1]), nullptr);
  EXPECT_EQ(heads.find(rooms[2]), nullptr);
  EXPECT_NE(heads.find(rooms[3]), nullptr);
}

TEST_F(RoomHeadsTest, slot_of_an_unknown_room_is_one_while_somebody_holds_it) {
  auto first = heads.slot(invented(1));
  for (int i = 2; i < 500; ++i)
    (void)heads.slot(invented(i));
  EXPECT_EQ(heads.slot(invented(1)), first);
  EXPECT_EQ(heads.find(invented(1)), first);
}

}  // namespace

}  // namespace causeway::test
