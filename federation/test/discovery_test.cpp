#include "federation/discovery.hpp"

#include <gtest/gtest.h>

#include <map>

#include "federation/well_known.hpp"
#include "homeserver/outbound/address_policy.hpp"
#include "homeserver/test/support/run_task.hpp"

namespace causeway::outbound {

void PrintTo(const Target& target, std::ostream* out) {
  *out << target.host << ":" << target.port << " Host " << target.host_header << " TLS " << target.tls_name;
}

}  // namespace causeway::outbound

namespace causeway::federation {

namespace {

class FakeDns : public outbound::Dns {
 public:
  Task<Result<std::vector<outbound::SrvRecord>>> srv(std::string name) override {
    asked.push_back(name);
    if (broken) co_return make_error(ErrorCode::unknown, 502, "SERVFAIL");
    co_return records[name];
  }
  Task<Result<std::vector<asio::ip::address>>> addresses(std::string) override {
    co_return make_error(ErrorCode::unknown, 502, "not asked for in these tests");
  }
  std::map<std::string, std::vector<outbound::SrvRecord>> records;
  std::vector<std::string> asked;
  bool broken = false;
};

class FakeWellKnown : public WellKnown {
 public:
  Task<std::optional<ServerName>> delegation(std::string host) override {
    ++asked;
    const auto found = delegations.find(host);
    if (found == delegations.end()) co_return std::nullopt;
    co_return ServerName::parse(found->second).value();
  }
  std::map<std::string, std::string> delegations;
  int asked = 0;
};

struct DiscoveryTest : testing::Test {
  std::vector<outbound::Target> resolve(const std::string& name) {
    Discovery discovery(dns, well_known);
    return test::run_task(reactor, discovery.resolve(ServerName::parse(name).value()));
  }
  outbound::Target only(const std::string& name) {
    auto targets = resolve(name);
    EXPECT_EQ(targets.size(), 1u);
    return targets.front();
  }
  asio::io_context reactor;
  FakeDns dns;
  FakeWellKnown well_known;
};

TEST_F(DiscoveryTest, step_1_ip_literals_are_used_as_they_are) {
  EXPECT_EQ(only("1.2.3.4"), (outbound::Target{"1.2.3.4", 8448, "1.2.3.4", "1.2.3.4"}));
  EXPECT_EQ(only("1.2.3.4:80"), (outbound::Target{"1.2.3.4", 80, "1.2.3.4:80", "1.2.3.4"}));
  EXPECT_EQ(only("[2001:db8::1]:80"), (outbound::Target{"2001:db8::1", 80, "[2001:db8::1]:80", "2001:db8::1"}));
  EXPECT_EQ(well_known.asked, 0);
}

TEST_F(DiscoveryTest, step_2_an_explicit_port_skips_delegation) {
  well_known.delegations["a.example"] = "elsewhere.example";
  EXPECT_EQ(only("a.example:1234"), (outbound::Target{"a.example", 1234, "a.example:1234", "a.example"}));
  EXPECT_EQ(well_known.asked, 0);
  EXPECT_TRUE(dns.asked.empty());
}

TEST_F(DiscoveryTest, step_3_1_and_3_2_delegation_to_an_address_or_port) {
  well_known.delegations["a.example"] = "1.2.3.4";
  EXPECT_EQ(only("a.example"), (outbound::Target{"1.2.3.4", 8448, "1.2.3.4", "1.2.3.4"}));
  well_known.delegations["a.example"] = "b.example:443";
  EXPECT_EQ(only("a.example"), (outbound::Target{"b.example", 443, "b.example:443", "b.example"}));
  EXPECT_TRUE(dns.asked.empty());
}

TEST_F(DiscoveryTest, step_3_3_srv_of_the_delegated_name_keeps_its_host_and_certificate) {
  well_known.delegations["a.example"] = "b.example";
  dns.records["_matrix-fed._tcp.b.example"] = {{10, 0, 9000, "host.example"}};
  dns.records["_matrix._tcp.b.example"] = {{10, 0, 1, "deprecated.example"}};
  EXPECT_EQ(only("a.example"), (outbound::Target{"host.example", 9000, "b.example", "b.example"}));
}

TEST_F(DiscoveryTest, step_3_5_delegation_without_srv_uses_8448) {
  well_known.delegations["a.example"] = "b.example";
  EXPECT_EQ(only("a.example"), (outbound::Target{"b.example", 8448, "b.example", "b.example"}));
}

TEST_F(DiscoveryTest, steps_4_and_5_srv_of_the_name_itself_the_deprecated_one_last) {
  dns.records["_matrix._tcp.a.example"] = {{10, 0, 9000, "old.example"}};
  EXPECT_EQ(only("a.example"), (outbound::Target{"old.example", 9000, "a.example", "a.example"}));
  EXPECT_EQ(dns.asked, (std::vector<std::string>{"_matrix-fed._tcp.a.example", "_matrix._tcp.a.example"}));
}

TEST_F(DiscoveryTest, step_6_is_the_name_at_8448_even_when_srv_cannot_be_asked) {
  dns.broken = true;
  EXPECT_EQ(only("a.example"), (outbound::Target{"a.example", 8448, "a.example", "a.example"}));
}

TEST_F(DiscoveryTest, srv_records_are_tried_by_priority) {
  dns.records["_matrix-fed._tcp.a.example"] = {{20, 5, 2, "second"}, {10, 0, 1, "first"}, {30, 0, 3, "third"}};
  auto targets = resolve("a.example");
  ASSERT_EQ(targets.size(), 3u);
  EXPECT_EQ(targets[0].host, "first");
  EXPECT_EQ(targets[1].host, "second");
  EXPECT_EQ(targets[2].host, "third");
}

TEST(WellKnownCache, follows_cache_control_within_bounds) {
  using namespace std::chrono_literals;
  EXPECT_EQ(cache_time(""), 24h);
  EXPECT_EQ(cache_time("public, max-age=7200"), 2h);
  EXPECT_EQ(cache_time("max-age=99999999"), 48h);
  EXPECT_EQ(cache_time("max-age=99999999999999999999999"), 48h);
  EXPECT_EQ(cache_time("max-age=0"), 5min);
  EXPECT_EQ(cache_time("no-store"), 5min);
  EXPECT_EQ(cache_time("max-age=x"), 24h);
}

TEST(WellKnownRedirect, leads_only_to_https) {
  const HttpsUrl base{ServerName::parse("a.example").value(), "/x"};
  EXPECT_EQ(follow(base, "/y")->authority.str(), "a.example");
  EXPECT_EQ(follow(base, "https://b.example:8443/z?q#f")->authority.str(), "b.example:8443");
  EXPECT_EQ(follow(base, "https://b.example:8443/z?q#f")->target, "/z?q");
  EXPECT_EQ(follow(base, "//c.example")->target, "/");
  for (const char* bad : {"http://b.example/", "ftp://b", "", "relative", "https://", "https://user@b.example/"})
    EXPECT_FALSE(follow(base, bad)) << bad;
}

TEST(AddressPolicy, refuses_what_is_not_the_public_internet) {
  const outbound::AddressPolicy policy({}, false);
  for (const char* inside : {"127.0.0.1", "10.1.2.3", "172.31.255.255", "192.168.0.1", "169.254.169.254", "0.0.0.0",
                             "100.64.0.1", "224.0.0.1", "255.255.255.255", "::1", "::", "fe80::1", "fd00::1",
                             "::ffff:10.0.0.1", "::ffff:127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::", "ff02::1"})
    EXPECT_FALSE(policy.allows(asio::ip::make_address(inside))) << inside;
  for (const char* outside : {"1.1.1.1", "172.32.0.1", "9.255.255.255", "2606:4700::1111", "::ffff:1.1.1.1"})
    EXPECT_TRUE(policy.allows(asio::ip::make_address(outside))) << outside;
}

TEST(AddressPolicy, configured_ranges_are_let_through_alone) {
  const outbound::AddressPolicy policy({"10.1.0.0/16", "::1"}, false);
  EXPECT_TRUE(policy.allows(asio::ip::make_address("10.1.255.1")));
  EXPECT_TRUE(policy.allows(asio::ip::make_address("::1")));
  EXPECT_FALSE(policy.allows(asio::ip::make_address("10.2.0.1")));
  EXPECT_FALSE(policy.allows(asio::ip::make_address("127.0.0.1")));
  EXPECT_TRUE(outbound::AddressPolicy({}, true).allows(asio::ip::make_address("127.0.0.1")));
  for (const char* bad : {"10.0.0.0/33", "x", "10.0.0.0/", "10.0.0.0/8x"})
    EXPECT_THROW(outbound::AddressPolicy(std::vector<std::string>{bad}, false), std::invalid_argument) << bad;
}

}  // namespace
}  // namespace causeway::federation
