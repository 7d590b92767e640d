// The HTTPS client against a real server on loopback.
#include "federation/http_client.hpp"
#include "homeserver/test/http_fixture.hpp"
#include "homeserver/test/support/run_task.hpp"

namespace causeway::federation {
namespace {

using namespace std::chrono_literals;
using causeway::test::run_task;

class NoDelegation : public WellKnown {
 public:
  Task<std::optional<ServerName>> delegation(std::string) override { co_return std::nullopt; }
};

class LoopbackDns : public outbound::Dns {
 public:
  Task<Result<std::vector<outbound::SrvRecord>>> srv(std::string) override {
    co_return std::vector<outbound::SrvRecord>();
  }
  Task<Result<std::vector<asio::ip::address>>> addresses(std::string) override {
    co_return std::vector<asio::ip::address>(1, asio::ip::make_address("127.0.0.1"));
  }
};

struct HttpsTest : http::test::HttpTest {
  HttpsTest() {
    settings.listeners.front().tls = true;
    settings.listeners.front().certificate_pem = certificate.certificate_pem;
    settings.listeners.front().key_pem = certificate.key_pem;
    add(http::Verb::put, "/echo", http::test::echo);
    add(http::Verb::get, "/big", [](http::Request&) -> Task<Result<http::Response>> {
      co_return http::Response::json_text("\"" + std::string(10'000, 'x') + "\"");
    });
    start();
  }

  // Sends them one after another over one client.
  std::vector<Result<outbound::Response>> send(std::vector<outbound::Request> requests,
                                               const std::string& host = "peer.test") {
    asio::io_context reactor;
    LoopbackDns dns;
    NoDelegation well_known;
    outbound::Connector connector(dns, outbound::AddressPolicy({}, allow_loopback), outbound::make_tls_context(ca));
    Discovery discovery(dns, well_known);
    HttpClient client(reactor.get_executor(), discovery, connector);
    auto work = [&]() -> Task<std::vector<Result<outbound::Response>>> {
      std::vector<Result<outbound::Response>> replies;
      for (auto& request : requests) {
        auto server = ServerName::parse(host + ":" + std::to_string(port())).value();
        replies.push_back(co_await client.request(server, std::move(request)));
        if (after_each) after_each();
      }
      client.close();
      co_return replies;
    };
    return run_task(reactor, work());
  }

  static outbound::Request put() {
    outbound::Request request;
    request.verb = http::Verb::put;
    request.target = "/echo";
    request.json = R"({"a":1})";
    request.timeout = 5s;
    return request;
  }

  http::test::Certificate certificate = http::test::make_certificate("peer.test");
  std::string ca = certificate.certificate_pem;
  bool allow_loopback = true;
  std::function<void()> after_each;
};

TEST_F(HttpsTest, a_request_is_answered_over_verified_tls) {
  auto replies = send({put(), put()});
  for (const auto& reply : replies) {
    ASSERT_TRUE(reply.has_value()) << reply.error().message;
    EXPECT_EQ(reply->status, 200u);
    EXPECT_EQ(reply->header("content-type"), "application/json");
  }
}

TEST_F(HttpsTest, a_connection_is_kept_for_the_next_request) {
  std::size_t most = 0;
  after_each = [&] { on_reactor([&] { most = std::max(most, server().open_connections()); }); };
  send({put(), put(), put()});
  EXPECT_EQ(most, 1u);
}

TEST_F(HttpsTest, a_certificate_that_nobody_vouches_for_is_refused) {
  ca.clear();
  EXPECT_EQ(send({put()}).front().error().status, 502u);
}

TEST_F(HttpsTest, a_certificate_for_another_name_is_refused) {
  EXPECT_EQ(send({put()}, "other.test").front().error().status, 502u);
  EXPECT_EQ(send({put()}, "127.0.0.1").front().error().status, 502u);
}

TEST_F(HttpsTest, private_addresses_are_not_connected_to_unless_configured) {
  allow_loopback = false;
  auto reply = send({put()}).front();
  EXPECT_EQ(reply.error().code, ErrorCode::forbidden);
}

TEST_F(HttpsTest, a_reply_that_is_too_large_is_refused) {
  outbound::Request request;
  request.target = "/big";
  request.max_response_bytes = 1'000;
  EXPECT_FALSE(send({request}).front().has_value());
  request.max_response_bytes = 100'000;
  EXPECT_TRUE(send({request}).front().has_value());
}

TEST_F(HttpsTest, a_server_that_does_not_answer_in_time_is_an_error) {
  outbound::Request request = put();
  request.timeout = 0ms;
  EXPECT_EQ(send({request}).front().error().status / 100, 5u);
}

}  // namespace
}  // namespace causeway::federation
