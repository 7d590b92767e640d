#include "homeserver/rooms/reader/room_reader.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "homeserver/test/support/room_story.hpp"

namespace causeway {
namespace {

class RoomReaderTest : public ::testing::Test {
 protected:
  RoomReaderTest() {
    story_.send({"m.room.create", "", "@alice:a", R"({"room_version":"11"})"});
    story_.member("@alice:a", "join");
  }

  auto memberships_of(const std::string& user) { return story_.run(story_.reader.memberships(story_.nid_of(user))); }
  auto members() { return story_.run(story_.reader.members(story_.room)); }
  std::vector<std::string> servers() {
    std::vector<std::string> out;
    for (const ServerName& server : members()->joined_servers)
      out.push_back(server.str());
    std::ranges::sort(out);
    return out;
  }
  bool allowed(const std::string& server) {
    return story_.run(story_.reader.acl_allows(ServerName::trusted(server), story_.room));
  }

  test::RoomStory story_;
};

TEST_F(RoomReaderTest, a_head_follows_the_stream_without_queries) {
  const auto first = story_.info();
  EXPECT_EQ(first->state, (StateRef{0, 2}));
  const auto before = story_.database.round_trips();
  const auto topic = story_.send({"m.room.topic", "", "@alice:a", R"({"topic":"t"})"});
  const auto queries_of_sending = story_.database.round_trips() - before;
  const auto second = story_.info();
  EXPECT_EQ(second->state, topic->state_after());
  EXPECT_EQ(second->extremities, (std::vector{topic->nid}));
  EXPECT_EQ(second->last_position, topic->position());
  EXPECT_EQ(story_.database.round_trips() - before, queries_of_sending);
  EXPECT_EQ(first->state, (StateRef{0, 2})) << "what a reader holds does not change";
}

TEST_F(RoomReaderTest, a_head_read_from_the_database_is_the_same) {
  story_.message("@alice:a");
  const auto cached = story_.info();
  RoomReader fresh(story_.database, story_.hub, story_.interner, story_.events, story_.states);
  const auto read = story_.run(fresh.room(story_.room));
  EXPECT_EQ(read->id, story_.room_id);
  EXPECT_EQ(read->version, cached->version);
  EXPECT_EQ(read->state, cached->state);
  EXPECT_EQ(read->extremities, cached->extremities);
  EXPECT_EQ(read->last_position, cached->last_position);
  EXPECT_TRUE(read->resident);
}

TEST_F(RoomReaderTest, rooms_that_are_not_here_are_nothing) {
  EXPECT_FALSE(story_.run(story_.reader.room(RoomId::trusted("!other:a"))));
  const auto rooms = story_.run(story_.reader.rooms({RoomNid{77}, story_.room}));
  EXPECT_FALSE(rooms[0]);
  EXPECT_EQ(rooms[1]->id, story_.room_id);
}

TEST_F(RoomReaderTest, memberships_follow_the_stream) {
  EXPECT_TRUE(memberships_of("@bob:a")->empty());
  const auto invite = story_.member("@bob:a", "invite", "@alice:a");
  ASSERT_EQ(memberships_of("@bob:a")->size(), 1u);
  EXPECT_EQ(memberships_of("@bob:a")->front().membership, db::Membership::invite);
  EXPECT_EQ(memberships_of("@bob:a")->front().position, invite->position());
  const auto join = story_.member("@bob:a", "join");
  const auto now = story_.run(story_.reader.membership(story_.nid_of("@bob:a"), story_.room));
  EXPECT_EQ(now->membership, db::Membership::join);
  EXPECT_EQ(now->event, join->nid);
}

TEST_F(RoomReaderTest, forgotten_rooms_are_no_memberships) {
  story_.member("@bob:a", "join");
  story_.member("@bob:a", "leave");
  ASSERT_EQ(memberships_of("@bob:a")->size(), 1u);
  auto unit = std::make_shared<WriteUnit>();
  MembershipChange change;
  change.user = story_.nid_of("@bob:a");
  change.room = story_.room;
  change.event = memberships_of("@bob:a")->front().event;
  change.forgotten = true;
  unit->memberships.push_back(change);
  ASSERT_TRUE(story_.run(story_.writer.commit(unit)));
  EXPECT_TRUE(memberships_of("@bob:a")->empty());
  RoomReader fresh(story_.database, story_.hub, story_.interner, story_.events, story_.states);
  EXPECT_TRUE(story_.run(fresh.memberships(change.user))->empty());
}

TEST_F(RoomReaderTest, members_follow_the_stream_and_equal_what_is_stored) {
  EXPECT_EQ(members()->joined, 1u);
  story_.member("@bob:a", "invite", "@alice:a");
  story_.member("@carol:b", "join");
  story_.member("@dave:b", "join");
  story_.member("@carol:b", "leave");
  story_.member("@bob:a", "join");
  story_.member("@eve:c", "invite", "@alice:a");
  EXPECT_EQ(members()->joined, 3u);
  EXPECT_EQ(members()->invited, 1u);
  EXPECT_EQ(members()->all.size(), 5u);
  EXPECT_EQ(servers(), (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(members()->local_joined, (std::vector{story_.nid_of("@alice:a"), story_.nid_of("@bob:a")}));
  story_.member("@dave:b", "leave");
  EXPECT_EQ(servers(), (std::vector<std::string>{"a"}));
  EXPECT_FALSE(story_.run(story_.reader.server_in_room(ServerName::trusted("b"), story_.room)));

  RoomReader fresh(story_.database, story_.hub, story_.interner, story_.events, story_.states);
  const auto read = story_.run(fresh.members(story_.room));
  EXPECT_EQ(read->joined, members()->joined);
  EXPECT_EQ(read->invited, members()->invited);
  EXPECT_EQ(read->all.size(), members()->all.size());
  EXPECT_EQ(read->local_joined.size(), 2u);
}

TEST_F(RoomReaderTest, a_state_key_that_is_no_user_is_no_member) {
  story_.send({"m.room.member", "nobody", "@alice:a", R"({"membership":"leave"})"});
  EXPECT_EQ(members()->all.size(), 1u);
  RoomReader fresh(story_.database, story_.hub, story_.interner, story_.events, story_.states);
  EXPECT_EQ(story_.run(fresh.members(story_.room))->all.size(), 1u);
}

TEST_F(RoomReaderTest, state_is_read_at_any_version) {
  const auto first = story_.send({"m.room.topic", "", "@alice:a", R"({"topic":"one"})"});
  const auto second = story_.send({"m.room.topic", "", "@alice:a", R"({"topic":"two"})"});
  const auto topic_at = [this](StateRef at) {
    return story_.run(story_.reader.state_event(story_.room, at, StateKey{"m.room.topic", ""}));
  };
  EXPECT_EQ(topic_at(first->before), nullptr);
  EXPECT_EQ(topic_at(second->before)->nid, first->nid);
  EXPECT_EQ(topic_at(second->state_after())->nid, second->nid);
  EXPECT_EQ(story_.run(story_.reader.all_state(story_.room, second->state_after())).size(), 3u);
}

TEST_F(RoomReaderTest, asking_for_a_state_key_makes_no_row) {
  StateKey key{"m.nobody.set.this", "x"};
  EXPECT_EQ(story_.run(story_.reader.state_event(story_.room, story_.info()->state, key)), nullptr);
  EXPECT_FALSE(story_.interner.cached_state_key(key.type, key.state_key));
  const auto next = story_.run(story_.interner.state_key(StateKey{"t", "1"}));
  const auto after = story_.run(story_.interner.state_key(StateKey{"t", "2"}));
  EXPECT_EQ(to_int(after), to_int(next) + 1);
}

TEST_F(RoomReaderTest, acls_are_those_of_the_current_state) {
  EXPECT_TRUE(allowed("b"));
  story_.send({"m.room.server_acl", "", "@alice:a", R"({"allow":["*"],"deny":["b"]})"});
  EXPECT_FALSE(allowed("b"));
  EXPECT_TRUE(allowed("c"));
  story_.send({"m.room.server_acl", "", "@alice:a", R"({"allow":["*"]})"});
  EXPECT_TRUE(allowed("b"));
}

}  // namespace
}  // namespace causeway
