#include "federation/x_matrix.hpp"

#include <gtest/gtest.h>

namespace causeway::federation {
namespace {

XMatrix one(std::string_view header) {
  auto parsed = parse_x_matrix(header);
  EXPECT_TRUE(parsed.has_value()) << header;
  if (!parsed || parsed->size() != 1) return {};
  return parsed->front();
}

TEST(XMatrix, quoted_and_unquoted_values_mean_the_same) {
  for (const char* header : {
           R"(X-Matrix origin="a.example:8448",destination="b",key="ed25519:1",sig="AB+/")",
           R"(X-Matrix origin=a.example:8448,destination=b,key=ed25519:1,sig=AB+/)",
           "x-MATRIX   ORIGIN=\"a.example:8448\" ,\t Destination=b,key=\"ed25519:1\", sig=\"AB+/\"",
           R"(X-Matrix origin="a.ex\ample:8448",key="ed25519:1",sig=AB+/,future="x,y",destination="b")",
       }) {
    const auto found = one(header);
    EXPECT_EQ(found.origin, "a.example:8448") << header;
    EXPECT_EQ(found.destination, "b") << header;
    EXPECT_EQ(found.key, "ed25519:1") << header;
    EXPECT_EQ(found.signature, "AB+/") << header;
  }
}

TEST(XMatrix, destination_may_be_absent) {
  EXPECT_FALSE(one(R"(X-Matrix origin=a,key="ed25519:1",sig="AB")").destination);
}

TEST(XMatrix, joined_headers_are_separate_credentials) {
  auto parsed = parse_x_matrix(
      R"(X-Matrix origin=a,key="ed25519:1",sig="AB", Bearer abc, X-Matrix origin=a,key="ed25519:2",sig="CD")");
  ASSERT_TRUE(parsed.has_value());
  ASSERT_EQ(parsed->size(), 2u);
  EXPECT_EQ(parsed->at(1).key, "ed25519:2");
}

TEST(XMatrix, what_is_incomplete_or_malformed_is_unauthorized) {
  for (const char* header : {"X-Matrix", "X-Matrix origin=a,key=b", R"(X-Matrix origin="a)",
                             R"(X-Matrix origin="",key=b,sig=c)", "\"", "X-Matrix origin=\"a\\"}) {
    auto parsed = parse_x_matrix(header);
    ASSERT_FALSE(parsed.has_value()) << header;
    EXPECT_EQ(parsed.error().code, ErrorCode::unauthorized);
    EXPECT_EQ(parsed.error().status, 401u);
  }
}

TEST(XMatrix, other_schemes_hold_no_credentials) {
  for (const char* header : {"", "Bearer abc", "Basic a=b", "X-Matrix =a,key=b,sig=c"})
    EXPECT_TRUE(parse_x_matrix(header).value().empty()) << header;
}

TEST(XMatrix, what_is_formatted_parses_back) {
  const XMatrix given{"a:1", "b", "ed25519:k", "c2ln"};
  const auto found = one(format_x_matrix(given));
  EXPECT_EQ(found.origin, given.origin);
  EXPECT_EQ(found.destination, given.destination);
  EXPECT_EQ(found.key, given.key);
  EXPECT_EQ(found.signature, given.signature);
}

TEST(XMatrix, signed_bytes_are_canonical_json) {
  EXPECT_EQ(signed_request_bytes("PUT", "/a?b=\"", "o", "d", R"({"x":1})"),
            R"({"content":{"x":1},"destination":"d","method":"PUT","origin":"o","uri":"/a?b=\""})");
  EXPECT_EQ(signed_request_bytes("GET", "/a", "o", "d", std::nullopt),
            R"({"destination":"d","method":"GET","origin":"o","uri":"/a"})");
}

}  // namespace
}  // namespace causeway::federation
