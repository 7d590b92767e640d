#include "homeserver/rooms/reader/server_acl.hpp"

#include <gtest/gtest.h>

#include "schema/json/json.hpp"

namespace causeway {
namespace {

ServerAcl acl(const char* content) {
  return ServerAcl(json::parse_object(content).value());
}

bool allows(const ServerAcl& acl, const char* server) {
  return acl.allows(ServerName::parse(server).value());
}

TEST(ServerAclTest, without_the_event_every_server_is_allowed) {
  EXPECT_TRUE(allows(ServerAcl(), "any.example"));
}

TEST(ServerAclTest, what_is_not_allowed_is_denied) {
  EXPECT_FALSE(allows(acl("{}"), "a.example"));
  EXPECT_FALSE(allows(acl(R"({"allow":"*"})"), "a.example"));
  EXPECT_FALSE(allows(acl(R"({"allow":[1, null]})"), "a.example"));
  EXPECT_TRUE(allows(acl(R"({"allow":["*"]})"), "a.example"));
  EXPECT_FALSE(allows(acl(R"({"allow":["*.example"]})"), "example"));
}

TEST(ServerAclTest, deny_goes_before_allow) {
  const auto rules = acl(R"({"allow":["*"],"deny":["*.evil.com","evil.com"]})");
  EXPECT_FALSE(allows(rules, "evil.com"));
  EXPECT_FALSE(allows(rules, "a.evil.com"));
  EXPECT_TRUE(allows(rules, "notevil.com"));
}

TEST(ServerAclTest, ports_and_case_do_not_matter) {
  const auto rules = acl(R"({"allow":["*"],"deny":["EVIL.com","[2001:db8::1]"]})");
  EXPECT_FALSE(allows(rules, "evil.com:8448"));
  EXPECT_FALSE(allows(rules, "Evil.Com"));
  EXPECT_FALSE(allows(rules, "[2001:DB8::1]:8448"));
}

TEST(ServerAclTest, ip_literals_may_be_denied_as_such) {
  const auto denied = acl(R"({"allow":["*"],"allow_ip_literals":false})");
  EXPECT_FALSE(allows(denied, "1.2.3.4"));
  EXPECT_FALSE(allows(denied, "1.2.3.4:80"));
  EXPECT_FALSE(allows(denied, "[::1]"));
  EXPECT_TRUE(allows(denied, "1.2.3.4.example"));
  EXPECT_TRUE(allows(acl(R"({"allow":["*"],"allow_ip_literals":"no"})"), "1.2.3.4"));
}

}  // namespace
}  // namespace causeway
