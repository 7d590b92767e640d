#include "homeserver/rooms/reader/history_visibility.hpp"

#include <gtest/gtest.h>

#include "homeserver/test/support/room_story.hpp"

namespace causeway {
namespace {

using db::Membership;
using enum HistoryVisibility;

TEST(HistoryVisibilityTest, rules_as_a_table) {
  struct Row {
    HistoryVisibility visibility;
    Membership membership;
    bool joined_later;
    bool allowed;
  };
  constexpr Row rows[] = {
      {world_readable, Membership::leave, false, true}, {world_readable, Membership::ban, false, true},
      {shared, Membership::join, false, true},          {shared, Membership::leave, true, true},
      {shared, Membership::leave, false, false},        {shared, Membership::invite, false, false},
      {shared, Membership::invite, true, true},         {shared, Membership::ban, true, true},
      {invited, Membership::join, false, true},         {invited, Membership::invite, false, true},
      {invited, Membership::leave, true, false},        {invited, Membership::knock, true, false},
      {joined, Membership::join, false, true},          {joined, Membership::invite, true, false},
      {joined, Membership::leave, true, false},         {joined, Membership::ban, true, false},
  };
  for (const Row& row : rows)
    EXPECT_EQ(may_see(row.visibility, row.membership, row.joined_later), row.allowed)
        << static_cast<int>(row.visibility) << ' ' << db::to_string(row.membership) << ' ' << row.joined_later;
}

TEST(HistoryVisibilityTest, what_is_absent_or_not_understood_is_shared) {
  const auto parse = [](const char* content) { return parse_history_visibility(json::parse_object(content).value()); };
  EXPECT_EQ(parse("{}"), shared);
  EXPECT_EQ(parse(R"({"history_visibility":"whoever"})"), shared);
  EXPECT_EQ(parse(R"({"history_visibility":7})"), shared);
  EXPECT_EQ(parse(R"({"history_visibility":"joined"})"), joined);
}

// alice makes the room; bob is invited, joins, leaves, is invited and joins again. A message between any two of these.
class BobsStayTest : public ::testing::Test {
 protected:
  void tell(const std::string& visibility) {
    all_.push_back(story_.send({"m.room.create", "", "@alice:a", R"({"room_version":"11"})"}));
    all_.push_back(story_.member("@alice:a", "join"));
    all_.push_back(story_.visibility(visibility));
    say("before");
    bob("invite");
    say("invited");
    bob("join");
    say("joined");
    bob("leave");
    say("away");
  }
  void return_bob() {
    bob("invite");
    say("invited again");
    bob("join");
    say("back");
  }
  void bob(const std::string& membership) {
    all_.push_back(story_.member("@bob:a", membership, membership == "invite" ? "@alice:a" : ""));
  }
  void say(const std::string& body) { all_.push_back(story_.message("@alice:a", body)); }

  // Bodies of messages and bob's memberships, in order.
  std::vector<std::string> seen_by(const std::string& user) {
    std::vector<std::string> out;
    for (const StoredEventPtr& event : story_.seen_by(user, all_)) {
      if (const auto body = json::find_string(event->event->content(), "body")) out.emplace_back(*body);
      if (event->event->state_key() == "@bob:a") out.push_back("+" + std::string(*event->event->membership()));
    }
    return out;
  }

  test::RoomStory story_;
  std::vector<StoredEventPtr> all_;
};

using Seen = std::vector<std::string>;

TEST_F(BobsStayTest, shared_history_ends_with_the_stay) {
  tell("shared");
  EXPECT_EQ(seen_by("@bob:a"), (Seen{"before", "+invite", "invited", "+join", "joined", "+leave"}));
  return_bob();
  EXPECT_EQ(seen_by("@bob:a"), (Seen{"before", "+invite", "invited", "+join", "joined", "+leave", "away", "+invite",
                                     "invited again", "+join", "back"}));
}

TEST_F(BobsStayTest, history_for_the_invited_begins_with_the_invite) {
  tell("invited");
  EXPECT_EQ(seen_by("@bob:a"), (Seen{"+invite", "invited", "+join", "joined", "+leave"}));
  return_bob();
  EXPECT_EQ(seen_by("@bob:a"),
            (Seen{"+invite", "invited", "+join", "joined", "+leave", "+invite", "invited again", "+join", "back"}));
}

TEST_F(BobsStayTest, history_for_the_joined_is_their_stays) {
  tell("joined");
  EXPECT_EQ(seen_by("@bob:a"), (Seen{"+join", "joined", "+leave"}));
  return_bob();
  EXPECT_EQ(seen_by("@bob:a"), (Seen{"+join", "joined", "+leave", "+join", "back"}));
}

TEST_F(BobsStayTest, strangers_see_what_the_world_may_read_and_nothing_else) {
  tell("joined");
  EXPECT_EQ(seen_by("@mallory:a"), Seen{});
  all_.push_back(story_.visibility("world_readable"));
  say("for all");
  all_.push_back(story_.visibility("joined"));
  say("for us");
  EXPECT_EQ(seen_by("@mallory:a"), (Seen{"for all"}));
  EXPECT_EQ(story_.seen_by("@mallory:a", all_).size(), 3u) << "both changes of the setting are seen";
}

TEST_F(BobsStayTest, an_event_on_a_fork_is_judged_by_the_state_there) {
  tell("joined");
  const auto open = story_.message_on_fork("@alice:a", "world_readable");
  const auto closed = story_.message_on_fork("@alice:a", "joined");
  EXPECT_EQ(story_.seen_by("@mallory:a", {open, closed}), (std::vector{open}));
  EXPECT_EQ(story_.seen_by("@alice:a", {open, closed}), (std::vector{open, closed}));
}

TEST_F(BobsStayTest, membership_at_each_event_includes_its_own_change) {
  tell("shared");
  std::vector<std::string> told;
  const auto at = story_.run(story_.reader.memberships_at(UserId::trusted("@bob:a"), story_.info(), all_));
  for (std::size_t i = 3; i < all_.size(); ++i)
    told.emplace_back(db::to_string(at[i]));
  EXPECT_EQ(told, (Seen{"leave", "invite", "invite", "join", "join", "leave", "leave"}));
}

TEST_F(BobsStayTest, news_for_a_member_costs_no_query) {
  tell("joined");
  seen_by("@alice:a");
  const auto info = story_.info();
  const auto before = story_.database.round_trips();
  const std::vector<StoredEventPtr> news = {all_.back()};
  story_.seen_by("@alice:a", news);
  story_.run(story_.reader.memberships_at(UserId::trusted("@alice:a"), info, news));
  EXPECT_EQ(story_.database.round_trips(), before);
}

TEST_F(BobsStayTest, who_left_reads_the_room_as_it_was_and_strangers_nothing) {
  tell("shared");
  const auto readable = [this](const std::string& user) {
    return story_.run(story_.reader.readable(story_.nid_of(user), UserId::trusted(user), story_.info()));
  };
  const auto leave = all_[all_.size() - 2];
  ASSERT_TRUE(readable("@bob:a"));
  EXPECT_EQ(readable("@bob:a")->state, leave->state_after());
  EXPECT_EQ(readable("@bob:a")->until, *leave->order);
  EXPECT_FALSE(readable("@bob:a")->present);
  EXPECT_TRUE(readable("@alice:a")->joined);
  EXPECT_FALSE(readable("@mallory:a"));
  story_.visibility("world_readable");
  EXPECT_TRUE(readable("@mallory:a")->present);
  EXPECT_FALSE(readable("@mallory:a")->joined);
}

TEST_F(BobsStayTest, servers_see_the_stays_of_their_users_and_else_redacted_events) {
  tell("joined");
  const auto missed = story_.message("@alice:a", "missed");
  story_.member("@carol:b", "join");
  const auto heard = story_.message("@alice:a", "heard");
  story_.member("@carol:b", "leave");
  const auto later = story_.message("@alice:a", "later");
  const auto told =
      story_.run(story_.reader.visible_to_server(ServerName::trusted("b"), story_.info(), {missed, heard, later}));
  ASSERT_EQ(told.size(), 3u);
  EXPECT_EQ(told[0]->content_json(), "{}");
  EXPECT_EQ(told[1], heard->event);
  EXPECT_EQ(told[2]->content_json(), "{}");
  EXPECT_EQ(told[2]->id(), later->event->id());
}

TEST_F(BobsStayTest, a_page_that_a_server_may_not_see_costs_no_more_queries_than_one_event) {
  tell("invited");
  std::vector<StoredEventPtr> page;
  for (int i = 0; i < 20; ++i)
    page.push_back(story_.message("@alice:a", std::to_string(i)));
  const auto queries = [&](const std::vector<StoredEventPtr>& events) {
    RoomReader fresh(story_.database, story_.hub, story_.interner, story_.events, story_.states);
    const auto info = story_.info();
    const auto before = story_.database.round_trips();
    for (const EventPtr& told : story_.run(fresh.visible_to_server(ServerName::trusted("b"), info, events)))
      EXPECT_EQ(told->content_json(), "{}");
    return story_.database.round_trips() - before;
  };
  queries(page);
  EXPECT_EQ(queries(page), queries({page.front()}));
}

TEST_F(BobsStayTest, a_server_sees_what_was_said_while_one_of_many_users_was_invited) {
  tell("invited");
  for (int i = 0; i < 250; ++i) {
    story_.member("@u" + std::to_string(i) + ":b", "invite", "@alice:a");
    if (i != 170) story_.member("@u" + std::to_string(i) + ":b", "leave");
  }
  const auto told = [this](const StoredEventPtr& event) {
    return story_.run(story_.reader.visible_to_server(ServerName::trusted("b"), story_.info(), {event})).front();
  };
  const auto heard = story_.message("@alice:a", "heard");
  story_.member("@u170:b", "leave");
  const auto missed = story_.message("@alice:a", "missed");
  EXPECT_EQ(told(heard), heard->event);
  EXPECT_EQ(told(missed)->content_json(), "{}");
}

}  // namespace
}  // namespace causeway
