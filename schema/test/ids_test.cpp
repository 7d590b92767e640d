#include "schema/matrix/ids.hpp"

#include <gtest/gtest.h>

namespace causeway {
namespace {

TEST(ServerName, accepts_the_grammar_of_the_specification) {
  for (auto name : {"matrix.org", "matrix.org:8888", "1.2.3.4", "1.2.3.4:1234", "[1234:5678::abcd]", "[::1]:5678",
                    "hs1", "localhost:8448"})
    EXPECT_TRUE(ServerName::parse(name)) << name;
  for (auto name :
       {"", "a b", "host:", "host:99999", "host:x", "[::1", "[zz]", "host/path", "under_score", "::1", "a@b"})
    EXPECT_FALSE(ServerName::parse(name)) << name;
  EXPECT_FALSE(ServerName::parse(std::string("[::1\0]", 6)));
}

TEST(ServerName, splits_host_and_port) {
  EXPECT_EQ(ServerName::trusted("[::1]:5678").host(), "::1");
  EXPECT_EQ(ServerName::trusted("[::1]:5678").port(), 5678);
  EXPECT_EQ(ServerName::trusted("hs1").port(), std::nullopt);
  EXPECT_TRUE(ServerName::trusted("1.2.3.4:1").is_ip_literal());
  EXPECT_FALSE(ServerName::trusted("matrix.org").is_ip_literal());
}

TEST(UserId, accepts_historical_localparts_and_refuses_the_rest) {
  for (auto id : {"@a:b", "@A B:c.d:80", "@:b", "@\xC3\xBC:b"})
    EXPECT_TRUE(UserId::parse(id)) << id;
  for (auto id : {"", "@", "a:b", "@a", "@a:", "@a:b c"})
    EXPECT_FALSE(UserId::parse(id)) << id;
  EXPECT_FALSE(UserId::parse(std::string("@a\0:b", 5)));
  EXPECT_TRUE(UserId::parse("@" + std::string(252, 'a') + ":b"));
  EXPECT_FALSE(UserId::parse("@" + std::string(253, 'a') + ":b"));
  EXPECT_EQ(UserId::trusted("@a:b:80").localpart(), "a");
  EXPECT_EQ(UserId::trusted("@a:b:80").server(), "b:80");
}

TEST(RoomId, is_a_hash_or_has_a_domain) {
  EXPECT_TRUE(RoomId::parse("!abc:domain"));
  EXPECT_TRUE(RoomId::parse("!" + std::string(43, 'A')));
  for (auto id : {"!", "!abc", "abc:domain", "!:domain", "!abc:"})
    EXPECT_FALSE(RoomId::parse(id)) << id;
}

TEST(EventId, survives_the_database_in_every_form) {
  const std::array<unsigned char, 32> hash{1, 2, 3};
  for (const auto& id :
       {EventId::from_hash(hash), EventId::trusted("$1:domain"), EventId::trusted("$" + std::string(30, 'x')),
        EventId::trusted("$" + std::string(43, '/')), EventId::trusted("$" + std::string(43, '_'))})
    EXPECT_EQ(EventId::from_db(id.to_db()), id) << id.str();
  EXPECT_EQ(EventId::from_hash(hash).to_db().size(), 32u);
  EXPECT_NE(EventId::trusted("$" + std::string(30, 'x')).to_db().size(), 32u);
}

}  // namespace
}  // namespace causeway
