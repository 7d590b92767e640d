// GET /sync and what feeds it: receipts, read markers, typing.
#include <gtest/gtest.h>

#include "client-api/test/support/api_kit.hpp"

namespace causeway::test {
namespace {

const std::string v3 = "/_matrix/client/v3/";

class SyncEndpoints : public testing::Test {
 protected:
  SyncEndpoints() {
    alice = kit.log_in(kit.register_user("alice")).access_token;
    bob = kit.log_in(kit.register_user("bob")).access_token;
    room = kit.post(v3 + "createRoom", R"({"preset":"public_chat"})", alice).text("room_id");
    event = kit.put(v3 + "rooms/" + room + "/send/m.room.message/1", R"({"msgtype":"m.text","body":"hi"})", alice)
                .text("event_id");
  }

  Reply sync(const std::string& query = "") { return kit.get(v3 + "sync" + query, alice); }
  std::string in_room(const std::string& rest) { return v3 + "rooms/" + room + "/" + rest; }

  ApiKit kit;
  std::string alice, bob, room, event;
};

TEST_F(SyncEndpoints, sync_tells_the_room_and_then_nothing) {
  const auto initial = sync();
  ASSERT_EQ(initial.status, 200u) << initial["error"];
  const auto& timeline = initial.json.at("rooms").at("join").at(room).at("timeline").at("events").as_array();
  EXPECT_EQ(timeline.back().at("event_id").as_string(), event);
  EXPECT_EQ(timeline.back().at("unsigned").at("membership"), "join");
  const auto next = sync("?since=" + initial.text("next_batch") + "&timeout=0");
  EXPECT_EQ(next.status, 200u);
  EXPECT_FALSE(next.json.contains("rooms"));
}

TEST_F(SyncEndpoints, sync_refuses_parameters_that_make_no_sense) {
  for (const char* query :
       {"?since=nonsense", "?timeout=soon", "?timeout=-1", "?full_state=maybe", "?filter=17", "?use_state_after=1"}) {
    const auto reply = sync(query);
    EXPECT_EQ(reply.status, 400u) << query;
    EXPECT_EQ(reply.errcode(), "M_INVALID_PARAM") << query;
  }
  EXPECT_EQ(sync("?filter=%7Bnonsense").errcode(), "M_NOT_JSON");
  EXPECT_EQ(kit.get(v3 + "sync").status, 401u);
}

TEST_F(SyncEndpoints, sync_answers_the_unstable_name_of_state_after) {
  const auto reply = sync("?org.matrix.msc4222.use_state_after=true");
  const auto& joined = reply.json.at("rooms").at("join").at(room).as_object();
  EXPECT_TRUE(joined.contains("org.matrix.msc4222.state_after"));
  EXPECT_FALSE(joined.contains("state"));
}

TEST_F(SyncEndpoints, receipt_is_set_and_told) {
  const auto since = sync().text("next_batch");
  EXPECT_EQ(kit.post(in_room("receipt/m.read/" + event), R"({"thread_id":"main"})", alice).status, 200u);
  const auto reply = sync("?since=" + since);
  const auto& told = reply.json.at("rooms").at("join").at(room).at("ephemeral").at("events").at(0);
  EXPECT_EQ(told.at("type"), "m.receipt");
  EXPECT_EQ(told.at("content").at(event).at("m.read").at("@alice:example.org").at("thread_id"), "main");
}

TEST_F(SyncEndpoints, receipt_refuses_bad_threads_types_and_strangers) {
  const auto errcode = [&](const std::string& rest, const std::string& body, const std::string& token) {
    return kit.post(in_room(rest), body, token).errcode();
  };
  EXPECT_EQ(errcode("receipt/m.read/" + event, R"({"thread_id":1})", alice), "M_INVALID_PARAM");
  EXPECT_EQ(errcode("receipt/m.read/" + event, R"({"thread_id":""})", alice), "M_INVALID_PARAM");
  EXPECT_EQ(errcode("receipt/m.seen/" + event, "{}", alice), "M_INVALID_PARAM");
  EXPECT_EQ(errcode("receipt/m.read/nonsense", "{}", alice), "M_INVALID_PARAM");
  EXPECT_EQ(errcode("receipt/m.read/$unknown", "{}", alice), "M_NOT_FOUND");
  EXPECT_EQ(errcode("receipt/m.read/" + event, "{}", bob), "M_FORBIDDEN");
  EXPECT_EQ(errcode("receipt/m.read/" + event, "[", alice), "M_NOT_JSON");
}

TEST_F(SyncEndpoints, read_markers_set_all_that_are_named) {
  const auto since = sync().text("next_batch");
  const std::string body = R"({"m.fully_read":")" + event + R"(","m.read":")" + event + R"("})";
  EXPECT_EQ(kit.post(in_room("read_markers"), body, alice).status, 200u);
  const auto reply = sync("?since=" + since);
  const auto& joined = reply.json.at("rooms").at("join").at(room);
  EXPECT_EQ(joined.at("account_data").at("events").at(0).at("content").at("event_id").as_string(), event);
  EXPECT_EQ(joined.at("ephemeral").at("events").at(0).at("type"), "m.receipt");
  EXPECT_EQ(kit.post(in_room("read_markers"), R"({"m.read":1})", alice).errcode(), "M_BAD_JSON");
  EXPECT_EQ(kit.post(in_room("read_markers"), body, bob).errcode(), "M_FORBIDDEN");
}

TEST_F(SyncEndpoints, typing_is_for_oneself_in_a_room_one_is_in) {
  const auto set = [&](const std::string& user, const std::string& body, const std::string& token) {
    return kit.put(in_room("typing/" + user), body, token);
  };
  EXPECT_EQ(set("@alice:example.org", R"({"typing":false})", alice).status, 200u);
  EXPECT_EQ(set("@bob:example.org", R"({"typing":false})", alice).errcode(), "M_FORBIDDEN");
  EXPECT_EQ(set("@bob:example.org", R"({"typing":true})", bob).errcode(), "M_FORBIDDEN");
  EXPECT_EQ(set("@alice:example.org", "{}", alice).errcode(), "M_MISSING_PARAM");
  EXPECT_EQ(set("@alice:example.org", R"({"typing":"yes"})", alice).errcode(), "M_BAD_JSON");
}

}  // namespace
}  // namespace causeway::test
