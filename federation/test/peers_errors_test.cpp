// What a peer's errors become: for us, and for our clients.
#include <gtest/gtest.h>

#include "federation/remote_rooms.hpp"

namespace causeway::federation {

namespace {

std::string body(std::string_view errcode, std::string_view message = "No.") {
  return "{\"errcode\":\"" + std::string(errcode) + "\",\"error\":\"" + std::string(message) + "\"}";
}

std::string errcode_for_client(unsigned status, const std::string& text) {
  const auto error = for_client(read_error(status, text));
  return std::to_string(error.status) + " " + std::string(error.body().at("errcode").as_string());
}

TEST(PeersErrors, every_status_but_those_of_one_that_is_away_or_busy_is_an_answer) {
  for (const unsigned status : {400u, 401u, 403u, 404u, 405u, 410u, 418u, 500u, 501u}) {
    EXPECT_TRUE(is_peers_answer(read_error(status, ""))) << status;
    EXPECT_TRUE(is_peers_answer(read_error(status, "<html>"))) << status;
    EXPECT_TRUE(is_peers_answer(read_error(status, body("M_UNKNOWN")))) << status;
  }
  for (const unsigned status : {429u, 502u, 503u, 504u})
    EXPECT_FALSE(is_peers_answer(read_error(status, ""))) << status;
  EXPECT_TRUE(is_peers_answer(read_error(302, ""))) << "odd, but there";
}

TEST(PeersErrors, what_is_said_of_the_room_reaches_the_client_with_errcode_and_status_known_here_or_not) {
  EXPECT_EQ(errcode_for_client(403, body("M_FORBIDDEN")), "403 M_FORBIDDEN");
  EXPECT_EQ(errcode_for_client(404, body("M_NOT_FOUND")), "404 M_NOT_FOUND");
  EXPECT_EQ(errcode_for_client(400, body("M_INCOMPATIBLE_ROOM_VERSION")), "400 M_INCOMPATIBLE_ROOM_VERSION");
  EXPECT_EQ(errcode_for_client(403, body("M_NEVER_HEARD_OF")), "403 M_NEVER_HEARD_OF");
  EXPECT_EQ(errcode_for_client(410, body("ORG.EXAMPLE.GONE")), "410 ORG.EXAMPLE.GONE");
  EXPECT_EQ(errcode_for_client(400, body("M_UNKNOWN")), "400 M_UNKNOWN");
  EXPECT_EQ(errcode_for_client(403, ""), "403 M_FORBIDDEN");
}

TEST(PeersErrors, what_is_said_of_us_or_of_our_request_does_not) {
  EXPECT_EQ(errcode_for_client(401, body("M_UNKNOWN_TOKEN")), "502 M_UNKNOWN");
  EXPECT_EQ(errcode_for_client(401, body("M_NEVER_HEARD_OF")), "502 M_UNKNOWN");
  EXPECT_EQ(errcode_for_client(403, body("M_MISSING_TOKEN")), "502 M_UNKNOWN");
  EXPECT_EQ(errcode_for_client(404, body("M_UNRECOGNIZED")), "502 M_UNKNOWN");
  EXPECT_EQ(errcode_for_client(429, body("M_LIMIT_EXCEEDED")), "502 M_UNKNOWN");
  EXPECT_EQ(errcode_for_client(429, body("M_NEVER_HEARD_OF")), "502 M_UNKNOWN");
  EXPECT_EQ(errcode_for_client(404, ""), "502 M_UNKNOWN");
  EXPECT_EQ(errcode_for_client(500, body("M_FORBIDDEN")), "502 M_UNKNOWN");
  EXPECT_EQ(errcode_for_client(302, body("M_FORBIDDEN")), "502 M_UNKNOWN");
  EXPECT_EQ(errcode_for_client(403, body("not an errcode <b>")), "403 M_FORBIDDEN");
  EXPECT_EQ(errcode_for_client(403, body("M_" + std::string(200, 'X'))), "403 M_FORBIDDEN");
}

TEST(PeersErrors, long_messages_are_cut_between_characters_and_members_are_bounded) {
  std::string message = "x";
  for (int i = 0; i < 1'000; ++i)
    message += "\xc3\xa9";
  const auto error = read_error(403, body("M_FORBIDDEN", message));
  EXPECT_LE(error.message.size(), 516u);
  EXPECT_TRUE(message.starts_with(error.message.substr(0, error.message.size() - 3)));
  EXPECT_EQ((error.message.size() - 3) % 2, 1u) << "no half of a character";
  const auto told = read_error(400, R"({"errcode":"M_INCOMPATIBLE_ROOM_VERSION","error":"x","room_version":"11"})");
  EXPECT_EQ(told.extra.at("room_version"), "11");
  const auto flooded =
      read_error(403, R"({"errcode":"M_FORBIDDEN","error":"x","more":")" + std::string(10'000, 'y') + "\"}");
  EXPECT_TRUE(flooded.extra.empty());
}

}  // namespace

}  // namespace causeway::federation
