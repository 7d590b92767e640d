// Replacing a room: the old one's end and the new one's beginning, and what members take along.
#include <gtest/gtest.h>

#include "homeserver/rooms/making/carried_state.hpp"
#include "homeserver/test/support/rooms_kit.hpp"
#include "schema/db/tables/account_data.hpp"
#include "schema/json/json.hpp"

namespace causeway::test {
namespace {

using boost::json::array;
using boost::json::object;

struct RoomsUpgradeTest : testing::Test {
  asio::io_context reactor;
  RoomsKit kit{reactor};
  Sender alice = kit.user("alice");
  Sender bob = kit.user("bob");

  Result<RoomId> upgrade(const RoomId& room, std::string version) {
    UpgradeRoom request;
    request.sender = alice;
    request.room = room;
    request.version = std::move(version);
    return kit.run(kit.rooms->upgrade_room(std::move(request)));
  }
  int rooms() {
    return kit.database->run_blocking(
        [](db::Connection& c) { return c.exec("select count(*) from rooms")[0][0].as<int>(); });
  }
  object account_data(const Sender& user, const std::string& type) {
    auto find = [&](db::Connection& c) { return db::find_account_data(c, user.nid, RoomNid{}, type); };
    return json::parse_object(kit.database->run_blocking(find).value_or("{}")).value();
  }
};

TEST_F(RoomsUpgradeTest, a_room_whose_end_can_not_be_written_has_no_replacement) {
  kit.execute(R"(create function refuse_tombstones() returns trigger language plpgsql as $$
    begin
      if position('m.room.tombstone'::bytea in new.json) > 0 and position('replacement_room'::bytea in new.json) > 0 then
        raise exception 'no tombstones' using errcode = 'check_violation';
      end if;
      return new;
    end $$;
    create trigger refuse before insert on events for each row execute function refuse_tombstones())");
  for (const char* version : {"11", "12"}) {
    SCOPED_TRACE(version);
    const RoomId room = kit.create_public_room(alice, "10");
    const int before = rooms();
    ASSERT_FALSE(upgrade(room, version));
    EXPECT_EQ(rooms(), before);
    ASSERT_TRUE(kit.send(alice, room, "the room goes on"));
    kit.execute("alter table events disable trigger refuse");
    ASSERT_TRUE(upgrade(room, version));
    EXPECT_EQ(rooms(), before + 1);
    kit.execute("alter table events enable trigger refuse");
  }
}

TEST_F(RoomsUpgradeTest, a_room_whose_replacement_can_not_be_written_goes_on) {
  const RoomId room = kit.create_public_room(alice, "10");
  kit.execute("alter table rooms add constraint no_more check (room_nid < 2)");
  for (const char* version : {"11", "12"}) {
    ASSERT_FALSE(upgrade(room, version));
    EXPECT_FALSE(kit.state(room).contains("m.room.tombstone|"));
    EXPECT_EQ(rooms(), 1);
    ASSERT_TRUE(kit.send(alice, room, "still here"));
  }
}

TEST_F(RoomsUpgradeTest, a_message_sent_meanwhile_is_before_the_end_or_after_it) {
  const RoomId room = kit.create_public_room(alice, "10");
  std::size_t ended = 0;
  for (int i = 0; i < 20; ++i) {
    SendEvent message;
    message.sender = alice;
    message.room = room;
    message.type = "m.room.message";
    message.content["body"] = std::to_string(i);
    spawn(reactor, kit.rooms->send(std::move(message)), [&](std::exception_ptr, Result<EventId> sent) {
      EXPECT_TRUE(sent);
      ++ended;
    });
  }
  ASSERT_TRUE(upgrade(room, "11"));
  EXPECT_EQ(ended, 20u);
  auto events = kit.timeline(room);
  for (std::size_t i = 1; i < events.size(); ++i)
    EXPECT_EQ(events[i]->event->prev_events(), std::vector<EventId>(1, events[i - 1]->event->id()));
}

Task<> set_account_data(EventWriter& writer, UserNid user, std::string type, object content) {
  auto unit = std::make_shared<WriteUnit>();
  unit->changes.emplace_back(db::AccountDataChange{user, RoomNid{}, std::move(type), boost::json::serialize(content)});
  const auto written = co_await writer.commit(std::move(unit));
  EXPECT_TRUE(written);
}

// The client's change comes between the join of the replacement and what is then taken along into it.
Task<> write_between(RoomsKit& kit, Sender user, RoomId room, object direct) {
  auto turn = co_await kit.user_lanes.enter(user.nid);
  const auto joined = std::make_shared<bool>(false);
  ChangeMembership join;
  join.kind = ChangeMembership::Kind::join;
  join.sender = user;
  join.target = user.user;
  join.room = room;
  join.membership = db::Membership::join;
  spawn(kit.reactor, kit.rooms->change_membership(std::move(join)),
        [joined](std::exception_ptr, Result<>) { *joined = true; });
  const auto info = co_await kit.reader->room(room);
  for (std::optional<RoomMembership> now; !now || now->membership != db::Membership::join;) {
    co_await yield_once();  // the reader answers from memory, without letting others in
    now = co_await kit.reader->membership(user.nid, info->nid);
  }
  co_await set_account_data(*kit.writer, user.nid, "m.direct", std::move(direct));
  EXPECT_FALSE(*joined);
}

TEST_F(RoomsUpgradeTest, direct_chats_are_not_merged_while_their_user_writes_them) {
  const RoomId room = kit.create_public_room(alice, "10");
  ASSERT_TRUE(kit.join(bob, room));
  object direct{{"@alice:here.example", array{room.str()}}};
  kit.run(set_account_data(*kit.writer, bob.nid, "m.direct", direct));
  const RoomId replacement = upgrade(room, "12").value();
  direct["@carol:here.example"] = array{"!c:here.example"};
  kit.run(write_between(kit, bob, replacement, direct));
  direct["@alice:here.example"].as_array().emplace_back(replacement.str());
  EXPECT_EQ(account_data(bob, "m.direct"), direct);
}

TEST(CarriedState, canonical_alias_is_split_by_where_its_aliases_lead) {
  const std::vector<RoomAlias> moving{RoomAlias::trusted("#a:b"), RoomAlias::trusted("#c:b")};
  const auto split = [&](const object& content) { return split_canonical_alias(content, moving); };
  auto all = split(object{{"alias", "#a:b"}, {"alt_aliases", array{"#c:b"}}});
  EXPECT_EQ(*all.moved, (object{{"alias", "#a:b"}, {"alt_aliases", array{"#c:b"}}}));
  EXPECT_EQ(all.kept, (object{{"alt_aliases", array{}}}));
  auto none = split(object{{"alias", "#x:b"}, {"alt_aliases", array{5, "#y:b"}}});
  EXPECT_FALSE(none.moved);
  EXPECT_EQ(none.kept, (object{{"alias", "#x:b"}, {"alt_aliases", array{5, "#y:b"}}}));
  EXPECT_FALSE(split(object{{"alias", array{"#a:b"}}, {"alt_aliases", "#a:b"}}).moved);
}

}  // namespace
}  // namespace causeway::test
