// What clients that break rules get, and what the server keeps doing meanwhile.
#include "homeserver/http/address.hpp"
#include "homeserver/http/compression.hpp"
#include "homeserver/http/rate_limiter.hpp"
#include "homeserver/test/http_fixture.hpp"

namespace causeway::http::test {
namespace {

using namespace std::chrono_literals;
using testing::AnyOf;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr std::string_view get_echo = "GET /echo HTTP/1.1\r\nHost: x\r\n\r\n";

class HttpLimitsTest : public HttpTest {
 protected:
  HttpLimitsTest() {
    settings.rate_limits.address = {};  // each test sets its own
    add(Verb::get, "/echo", echo);
    add(Verb::put, "/echo", echo, Auth::none, RateClass::unlimited, 8 * kib);
    add(Verb::get, "/read", echo, Auth::optional_access_token, RateClass::read);
    add(Verb::post, "/login", echo, Auth::optional_access_token, RateClass::login);
    add(Verb::get, "/peer", echo, Auth::federation, RateClass::federation);
  }
  void expect_serving() { EXPECT_EQ(RawClient(port()).roundtrip(get_echo).status, 200); }
};

TEST_F(HttpLimitsTest, slow_header_is_cut_off) {
  settings.header_timeout = 30ms;
  start();
  RawClient client(port());
  const auto reply = client.roundtrip("GET /echo HTTP/1.1\r\nHost");
  EXPECT_EQ(reply.status, 408);
  EXPECT_THAT(client.read_to_end(), IsEmpty());
  expect_serving();
}

TEST_F(HttpLimitsTest, slow_body_is_cut_off) {
  settings.body_timeout = 30ms;
  start();
  RawClient client(port());
  const auto reply = client.roundtrip("PUT /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc");
  EXPECT_EQ(reply.status, 408);
  EXPECT_THAT(client.read_to_end(), IsEmpty());
  expect_serving();
}

TEST_F(HttpLimitsTest, idle_connection_is_closed_without_a_word) {
  settings.idle_timeout = 30ms;
  start();
  RawClient fresh(port());
  EXPECT_THAT(fresh.read_to_end(), IsEmpty());
  RawClient used(port());
  EXPECT_EQ(used.roundtrip(get_echo).status, 200);
  EXPECT_THAT(used.read_to_end(), IsEmpty());
}

TEST_F(HttpLimitsTest, client_that_reads_nothing_is_cut_off) {
  settings.write_timeout = 30ms;
  const std::string large(32 << 20, 'x');
  add(Verb::get, "/large", [&](Request&) -> Task<Result<Response>> { co_return Response::json_text(large); });
  start();
  RawClient client(port());
  client.send("GET /large HTTP/1.1\r\nHost: x\r\n\r\n");
  const auto answered = [this] {
    return metrics_text().find("http_request_seconds_count{operation=\"test_operation\"} 1") != std::string::npos;
  };
  while (server().open_connections() > 0 || !answered())
    on_reactor([] {});
  EXPECT_LT(client.read_to_end().size(), large.size());
}

TEST_F(HttpLimitsTest, body_beyond_the_endpoints_limit_is_too_large) {
  start();
  for (const auto* request :
       {"PUT /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 8193\r\n\r\n",
        "PUT /echo HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 8193\r\n\r\n",
        "PUT /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2001\r\n",
        "PUT /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n1ffe\r\n"}) {
    RawClient client(port());
    const auto reply = client.roundtrip(request);
    EXPECT_EQ(reply.status, 413) << request;
    EXPECT_EQ(reply.errcode(), "M_TOO_LARGE");
    EXPECT_EQ(reply.headers.at("connection"), "close");
    EXPECT_EQ(reply.headers.at("access-control-allow-origin"), "*");
    EXPECT_THAT(client.read_to_end(), IsEmpty());
  }
  expect_serving();
}

TEST_F(HttpLimitsTest, small_body_is_accepted_where_none_is_needed) {
  add(Verb::post, "/nothing_needed", echo, Auth::none, RateClass::unlimited, 0);
  start();
  RawClient client(port());
  EXPECT_EQ(client.roundtrip("POST /nothing_needed HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}").status, 200);
}

TEST_F(HttpLimitsTest, oversized_body_that_is_sent_anyway_does_not_hide_the_reply) {
  start();
  RawClient client(port());
  client.send("PUT /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 200000\r\n\r\n" + std::string(200000, 'x'));
  EXPECT_EQ(client.read_reply().status, 413);
}

TEST_F(HttpLimitsTest, header_beyond_the_limit_is_refused) {
  settings.max_header_bytes = 2 * kib;
  start();
  const std::string filler(3 * kib, 'a');
  for (const auto& request : {"GET /echo HTTP/1.1\r\nHost: x\r\nX-A: " + filler + "\r\n\r\n",
                              "GET /echo?" + filler + " HTTP/1.1\r\nHost: x\r\n\r\n", filler}) {
    RawClient client(port());
    const auto reply = client.roundtrip(request);
    EXPECT_THAT(reply.status, AnyOf(431, 400));
    EXPECT_THAT(client.read_to_end(), IsEmpty());
  }
  expect_serving();
}

TEST_F(HttpLimitsTest, what_is_no_request_gets_400_and_is_the_last) {
  start();
  for (const auto* bytes : {
           "nonsense\r\n\r\n",
           "GET /echo\r\n\r\n",
           "GET  /echo HTTP/1.1\r\nHost: x\r\n\r\n",
           "GET /echo HTTP/1.1\nHost: x\n\n",
           "GET /echo HTTP/2.0\r\nHost: x\r\n\r\n",
           "PUT /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\n",
           "GET /echo HTTP/1.1\r\n\r\n",
           "GET /echo HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n",
           "GET /echo HTTP/1.1\r\nHost: x\r\n Transfer-Encoding: chunked\r\n\r\n",
           "GET /echo HTTP/1.1\r\nHost : x\r\n\r\n",
           "GET /echo HTTP/1.1\r\nHost: x\r\nBad Name: 1\r\n\r\n",
           "GET /echo HTTP/1.1\r\nHost: x\r\nX: a\x01z\r\n\r\n",
           "GET /echo HTTP/1.1\r\nHost: x\r\nNo-Colon\r\n\r\n",
           "PUT /echo HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
           "PUT /echo HTTP/1.1\r\nHost: x\r\nContent-Length: +1\r\n\r\na",
           "PUT /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 0x1\r\n\r\na",
           "PUT /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\na",
           "PUT /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1, 2\r\n\r\na",
           "PUT /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
           "PUT /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n0\r\n\r\n",
           "PUT /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
           "PUT /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
           "PUT /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: identity\r\n\r\n",
           "PUT /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
           "PUT /echo HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
           "PUT /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n\r\n",
           "PUT /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n0\r\n\r\n",
       }) {
    RawClient client(port());
    client.send(bytes);
    client.send(get_echo);
    const auto reply = client.read_reply();
    EXPECT_EQ(reply.status, 400) << bytes;
    EXPECT_EQ(reply.errcode(), "M_UNKNOWN") << bytes;
    EXPECT_THAT(client.read_to_end(), IsEmpty()) << bytes;
  }
  expect_serving();
}

TEST_F(HttpLimitsTest, same_content_length_twice_is_one) {
  start();
  RawClient client(port());
  const auto reply =
      client.roundtrip("PUT /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\na");
  EXPECT_EQ(reply.status, 200);
}

TEST_F(HttpLimitsTest, address_beyond_its_rate_is_told_when_to_come_back) {
  settings.rate_limits.address = {0.5, 2};
  start();
  RawClient client(port());
  EXPECT_EQ(client.roundtrip(get_echo).status, 200);
  EXPECT_EQ(client.roundtrip(get_echo).status, 200);
  const auto refused = client.roundtrip(get_echo);
  EXPECT_EQ(refused.status, 429);
  EXPECT_EQ(refused.errcode(), "M_LIMIT_EXCEEDED");
  EXPECT_EQ(refused.headers.at("retry-after"), "2");
  EXPECT_THAT(refused.body, HasSubstr("\"retry_after_ms\":2000"));
  EXPECT_THAT(metrics_text(), HasSubstr("causeway_http_rate_limited_total{limit=\"address\"} 1"));
  on_reactor([&] { clock.advance(2000ms); });
  EXPECT_EQ(client.roundtrip(get_echo).status, 200);
}

TEST_F(HttpLimitsTest, limits_of_a_class_count_users_origins_and_addresses_apart) {
  settings.rate_limits.read = {0.1, 1};
  settings.rate_limits.login = {0.1, 1};
  settings.rate_limits.federation = {0.1, 1};
  start();
  RawClient client(port());
  const auto status = [&](const std::string& line, const std::string& authorization = "") {
    const auto header = authorization.empty() ? "" : "Authorization: " + authorization + "\r\n";
    return client.roundtrip(line + " HTTP/1.1\r\nHost: x\r\n" + header + "\r\n").status;
  };
  EXPECT_EQ(status("GET /read"), 200);
  EXPECT_EQ(status("GET /read"), 429);
  EXPECT_EQ(status("GET /read", "Bearer good"), 200);
  EXPECT_EQ(status("GET /read", "Bearer good"), 429);
  EXPECT_EQ(status("POST /login", "Bearer good"), 200);
  EXPECT_EQ(status("POST /login"), 429) << "logging in is limited per address whoever asks";
  EXPECT_EQ(status("GET /peer", "X-Matrix origin=peer.test"), 200);
  EXPECT_EQ(status("GET /peer", "X-Matrix origin=peer.test"), 429);
  EXPECT_EQ(status("GET /echo"), 200) << "unlimited";
}

TEST_F(HttpLimitsTest, rate_limits_can_be_off) {
  settings.rate_limits.address = {0.5, 1};
  settings.rate_limits_enabled = false;
  start();
  RawClient client(port());
  for (int i = 0; i < 5; ++i)
    EXPECT_EQ(client.roundtrip(get_echo).status, 200);
}

TEST_F(HttpLimitsTest, forwarded_address_counts_from_trusted_proxies_only) {
  const std::string request = "GET /echo HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 203.0.113.9\r\n\r\n";
  start();
  EXPECT_THAT(RawClient(port()).roundtrip(request).body, HasSubstr("\"remote_address\":\"127.0.0.1\""));
}

TEST_F(HttpLimitsTest, forwarded_address_of_a_trusted_proxy_is_the_client) {
  settings.trusted_proxies = {"127.0.0.0/8"};
  settings.rate_limits.address = {0.5, 1};
  start();
  RawClient client(port());
  const auto from = [&](const std::string& address) {
    return client.roundtrip("GET /echo HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: " + address + "\r\n\r\n");
  };
  EXPECT_THAT(from("spoofed, 203.0.113.9").body, HasSubstr("\"remote_address\":\"203.0.113.9\""));
  EXPECT_EQ(from("203.0.113.9").status, 429);
  EXPECT_EQ(from("203.0.113.10").status, 200);
}

TEST_F(HttpLimitsTest, full_server_closes_the_oldest_idle_connection) {
  settings.max_connections = 2;
  start();
  RawClient oldest(port()), newer(port());
  EXPECT_EQ(oldest.roundtrip(get_echo).status, 200);
  EXPECT_EQ(newer.roundtrip(get_echo).status, 200);
  RawClient third(port());
  EXPECT_EQ(third.roundtrip(get_echo).status, 200);
  EXPECT_THAT(oldest.read_to_end(), IsEmpty());
  EXPECT_EQ(newer.roundtrip(get_echo).status, 200);
  EXPECT_EQ(server().open_connections(), 2u);
}

TEST_F(HttpLimitsTest, full_server_without_idle_connections_answers_503) {
  settings.max_connections = 1;
  auto gate = std::make_shared<Gate>(executor());
  add(Verb::get, "/poll", [gate](Request& request) -> Task<Result<Response>> {
    co_await gate->wait();
    co_return co_await echo(request);
  });
  start();
  auto reached = gate->reached();
  RawClient busy(port());
  busy.send("GET /poll HTTP/1.1\r\nHost: x\r\n\r\n");
  reached.get();
  const auto refused = RawClient(port()).read_reply();
  EXPECT_EQ(refused.status, 503);
  EXPECT_EQ(refused.headers.at("retry-after"), "5");
  on_reactor([&] { gate->open(); });
  EXPECT_EQ(busy.read_reply().status, 200);
}

TEST(RateLimiter, full_table_forgets_who_asked_longest_ago) {
  RateLimiter limiter({1, 1}, 2 * RateLimiter::key_bytes);
  const auto now = std::chrono::steady_clock::time_point(1h);
  EXPECT_FALSE(limiter.take("a", now));
  EXPECT_FALSE(limiter.take("b", now));
  EXPECT_EQ(limiter.take("a", now), 1000ms);
  EXPECT_FALSE(limiter.take("c", now));  // b goes
  EXPECT_EQ(limiter.size(), 2u);
  EXPECT_TRUE(limiter.take("a", now));
  EXPECT_FALSE(limiter.take("b", now));
  EXPECT_FALSE(limiter.take("a", now + 1s));
  EXPECT_TRUE(limiter.take("a", now + 1s));
}

TEST(AddressRanges, ranges_hold_what_their_prefix_says) {
  const AddressRanges ranges({"10.0.0.0/8", "192.0.2.7", "fd00::/9", "::1"});
  const auto holds = [&](const char* text) { return ranges.contains(asio::ip::make_address(text)); };
  for (const auto* inside : {"10.1.2.3", "::ffff:10.1.2.3", "192.0.2.7", "fd7f::1", "::1"})
    EXPECT_TRUE(holds(inside)) << inside;
  for (const auto* outside : {"11.0.0.0", "192.0.2.6", "fd80::1", "::2", "::a01:203"})
    EXPECT_FALSE(holds(outside)) << outside;
  EXPECT_FALSE(AddressRanges().contains(asio::ip::make_address("127.0.0.1")));
  EXPECT_TRUE(AddressRanges({"0.0.0.0/0"}).contains(asio::ip::make_address("8.8.8.8")));
  EXPECT_FALSE(AddressRanges({"0.0.0.0/0"}).contains(asio::ip::make_address("2001::1")));
  for (const auto* bad : {"", "x", "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/8x", "::/129", "10.0.0.0/-1"})
    EXPECT_THROW(AddressRanges({bad}), std::invalid_argument) << bad;
}

TEST(ClientAddress, is_the_last_one_that_a_trusted_proxy_vouches_for) {
  const AddressRanges trusted({"10.0.0.0/8"});
  const auto peer = asio::ip::make_address("::ffff:10.0.0.1");
  const auto client = [&](std::string_view header) { return client_address(peer, header, trusted).to_string(); };
  EXPECT_EQ(client(""), "10.0.0.1");
  EXPECT_EQ(client("1.1.1.1"), "1.1.1.1");
  EXPECT_EQ(client("9.9.9.9, 1.1.1.1 ,10.0.0.2"), "1.1.1.1");
  EXPECT_EQ(client("10.0.0.3, 10.0.0.2"), "10.0.0.3");
  EXPECT_EQ(client("nonsense, 10.0.0.2"), "10.0.0.2");
  EXPECT_EQ(client("1.1.1.1:555"), "1.1.1.1");
  EXPECT_EQ(client("[2001:db8::1]:555"), "2001:db8::1");
  EXPECT_EQ(client("["), "10.0.0.1");
  EXPECT_EQ(client(",,"), "10.0.0.1");
}

TEST(ClientAddress, an_ipv6_network_of_64_bits_counts_as_one) {
  const auto key = [](const char* text) { return rate_limit_key(asio::ip::make_address(text)); };
  EXPECT_EQ(key("2001:db8::1"), key("2001:db8::2"));
  EXPECT_NE(key("2001:db8::1"), key("2001:db8:0:1::1"));
  EXPECT_NE(key("192.0.2.1"), key("192.0.2.2"));
  EXPECT_EQ(key("192.0.2.1"), key("::ffff:192.0.2.1"));
}

TEST(Compression, coding_is_chosen_by_weight) {
  EXPECT_EQ(choose_coding(""), Coding::identity);
  EXPECT_EQ(choose_coding("gzip"), Coding::gzip);
  EXPECT_EQ(choose_coding("deflate, GZIP"), Coding::gzip);
  EXPECT_EQ(choose_coding("deflate;q=0.9, gzip;q=0.5"), Coding::deflate);
  EXPECT_EQ(choose_coding("*"), Coding::gzip);
  EXPECT_EQ(choose_coding("*;q=0"), Coding::identity);
  EXPECT_EQ(choose_coding("gzip;q=0, *"), Coding::deflate);
  EXPECT_EQ(choose_coding("br, identity"), Coding::identity);
  EXPECT_EQ(choose_coding("gzip;q=nonsense"), Coding::identity);
}

}  // namespace
}  // namespace causeway::http::test
