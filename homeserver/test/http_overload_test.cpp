// Requests while others hold all the places, and clients that do not take their replies.
#include <deque>

#include "homeserver/test/http_fixture.hpp"
#include "homeserver/test/support/busy.hpp"

namespace causeway::http::test {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::IsEmpty;

std::string get(std::string_view path, std::string_view token = "") {
  std::string out = "GET " + std::string(path) + " HTTP/1.1\r\nHost: x\r\n";
  if (!token.empty()) out += "Authorization: Bearer " + std::string(token) + "\r\n";
  return out + "\r\n";
}

class HttpOverloadTest : public HttpTest {
 protected:
  HttpOverloadTest() {
    settings.rate_limits_enabled = false;
    settings.admission.places.fill(1);
    gate = std::make_shared<Gate>(executor());
    add(
        Verb::get, "/busy", [this](Request& request) { return wait_at_gate(request); }, Auth::access_token,
        RateClass::read);
    add(
        Verb::get, "/quick", [this](Request& request) { return count(request); }, Auth::access_token, RateClass::read);
    add(
        Verb::get, "/poll", [this](Request& request) { return poll(request); }, Auth::access_token, RateClass::read);
    add(Verb::get, "/health", echo);
  }

  Task<Result<Response>> wait_at_gate(Request& request) {
    co_await gate->wait();
    co_return co_await echo(request);
  }
  Task<Result<Response>> count(Request& request) {
    ++quick;
    co_return co_await echo(request);
  }
  Task<Result<Response>> poll(Request& request) {
    request.place.leave();
    co_await gate->wait();
    co_await request.place.enter_again();
    co_return co_await echo(request);
  }
  static Task<Result<Response>> burn(Request& request) {
    causeway::test::be_busy_for(2ms);
    co_return co_await echo(request);
  }
  void wait_for_metric(const std::string& line) {
    while (metrics_text().find(line) == std::string::npos)
      on_reactor([] {});
  }

  std::shared_ptr<Gate> gate;
  int quick = 0;
};

TEST_F(HttpOverloadTest, request_without_a_place_waits_and_is_then_answered) {
  start();
  RawClient busy(port()), waiting(port());
  busy.send(get("/busy", "good"));
  wait_for_metric("causeway_http_admitted{class=\"read\"} 1");
  waiting.send(get("/quick", "good"));
  wait_for_metric("causeway_http_waiting{class=\"read\"} 1");
  EXPECT_EQ(RawClient(port()).roundtrip(get("/health")).status, 200);
  on_reactor([this] { gate->open(); });
  EXPECT_EQ(busy.read_reply().status, 200);
  EXPECT_EQ(waiting.read_reply().status, 200);
  wait_for_metric("causeway_http_admitted{class=\"read\"} 0");
}

TEST_F(HttpOverloadTest, one_who_asks_too_much_gets_429_and_is_told_when_to_come_back) {
  settings.admission.patience = 0ms;
  start();
  RawClient busy(port());
  busy.send(get("/busy", "good"));
  wait_for_metric("causeway_http_admitted{class=\"read\"} 1");
  const auto refused = RawClient(port()).roundtrip(get("/quick", "good"));
  EXPECT_EQ(refused.status, 429);
  EXPECT_EQ(refused.errcode(), "M_LIMIT_EXCEEDED");
  EXPECT_THAT(refused.body, HasSubstr("\"retry_after_ms\":"));
  EXPECT_GE(std::stoi(refused.headers.at("retry-after")), 1);
  const auto other = RawClient(port()).roundtrip(get("/quick", "good:other"));
  EXPECT_EQ(other.status, 503) << "the class is full";
  EXPECT_GE(std::stoi(other.headers.at("retry-after")), 1);
  EXPECT_EQ(quick, 0);
  on_reactor([this] { gate->open(); });
  EXPECT_EQ(busy.read_reply().status, 200);
}

TEST_F(HttpOverloadTest, what_nobody_waits_for_any_more_is_not_done) {
  start();
  RawClient busy(port());
  busy.send(get("/busy", "good"));
  wait_for_metric("causeway_http_admitted{class=\"read\"} 1");
  {
    RawClient gone(port());
    gone.send(get("/quick", "good:other"));
    wait_for_metric("causeway_http_waiting{class=\"read\"} 1");
  }
  on_reactor([this] { gate->open(); });
  wait_for_metric("causeway_http_shed_total{class=\"read\",reason=\"gone\"} 1");
  EXPECT_EQ(busy.read_reply().status, 200);
  EXPECT_EQ(quick, 0);
}

TEST_F(HttpOverloadTest, parked_request_holds_no_place) {
  start();
  RawClient first(port()), second(port());
  for (RawClient* client : {&first, &second}) {
    client->send(get("/poll", "good"));
  }
  wait_for_metric("causeway_http_handlers_running 2");
  EXPECT_EQ(RawClient(port()).roundtrip(get("/quick", "good")).status, 200);
  on_reactor([this] { gate->open(); });
  EXPECT_EQ(first.read_reply().status, 200);
  EXPECT_EQ(second.read_reply().status, 200);
}

TEST_F(HttpOverloadTest, late_reactor_refuses_some_and_answers_all_and_serves_all_again_afterwards) {
  settings.admission.shedding.patience = settings.admission.shedding.calm = 100ms;
  add(Verb::get, "/burn", burn, Auth::access_token, RateClass::read);
  start();
  RawClient parked(port());
  parked.send(get("/poll", "good"));
  wait_for_metric("causeway_http_handlers_running 1");
  std::deque<RawClient> crowd;
  for (int i = 0; i < 50; ++i)
    crowd.emplace_back(port());
  int served = 0, refused = 0;
  while (refused == 0) {
    for (auto& client : crowd)
      client.send(get("/burn", "good:crowd"));
    for (auto& client : crowd) {
      const auto reply = client.read_reply();
      ASSERT_THAT(reply.status, testing::AnyOf(200, 503));
      ++(reply.status == 200 ? served : refused);
      if (reply.status == 200) continue;
      EXPECT_EQ(reply.errcode(), "M_UNKNOWN");
      EXPECT_GE(std::stoi(reply.headers.at("retry-after")), 1);
      EXPECT_FALSE(reply.headers.contains("connection")) << "the connection stays open";
    }
  }
  EXPECT_GT(served, 0);
  EXPECT_THAT(metrics_text(),
              HasSubstr("causeway_http_shed_total{class=\"read\",reason=\"lag\"} " + std::to_string(refused) + "\n"));
  EXPECT_EQ(crowd.front().roundtrip(get("/health")).status, 200) << "needs no place";
  EXPECT_EQ(crowd.front().roundtrip(get("/quick", "bad")).status, 401) << "whoever used this connection before";
  on_reactor([this] { gate->open(); });
  EXPECT_EQ(parked.read_reply().status, 200) << "was admitted long ago";
  while (metrics_text().find("causeway_http_overloaded 0") == std::string::npos)
    crowd.front().roundtrip(get("/quick", "good"));
  for (auto& client : crowd) {
    while (client.roundtrip(get("/burn", "good")).status != 200) {
    }
  }
}

TEST_F(HttpOverloadTest, slowest_readers_are_cut_off_when_replies_hold_too_much_memory) {
  const std::string large(16 << 20, 'x');
  settings.max_unsent_bytes = 40 << 20;
  settings.compress_from_bytes = 1 << 30;
  add(Verb::get, "/large", [&](Request&) -> Task<Result<Response>> { co_return Response::json_text(large); });
  start();
  const std::string request = "GET /large HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n";
  RawClient first(port()), second(port()), third(port());
  first.send(request);
  wait_for_metric("causeway_http_unsent_bytes 16777216");
  second.send(request);
  wait_for_metric("causeway_http_unsent_bytes 33554432");
  EXPECT_EQ(third.roundtrip(get("/large")).body.size(), large.size());
  // Whichever was the last that the kernel took something for.
  const bool all_of_first = first.read_to_end().size() > large.size();
  const bool all_of_second = second.read_to_end().size() > large.size();
  EXPECT_NE(all_of_first, all_of_second);
  wait_for_metric("causeway_http_slow_readers_total 1");
  wait_for_metric("causeway_http_unsent_bytes 0");
}

TEST_F(HttpOverloadTest, slowest_senders_are_cut_off_when_bodies_hold_too_much_memory) {
  add(Verb::put, "/large", echo, Auth::none, RateClass::unlimited, 16 << 20);
  settings.max_unsent_bytes = 0;  // 32 MiB for bodies
  start();
  const auto head = [](std::size_t bytes) {
    return "PUT /large HTTP/1.1\r\nHost: test\r\nContent-Length: " + std::to_string(bytes) + "\r\n\r\n";
  };
  std::deque<RawClient> clients;
  for (int i = 0; i < 6; ++i) {
    clients.emplace_back(port());
    clients.back().send(head(16 << 20) + std::string(8 << 20, 'x'));  // and no more
  }
  EXPECT_EQ(RawClient(port()).roundtrip(head(1 << 20) + std::string(1 << 20, 'x')).status, 200);
  EXPECT_THAT(metrics_text(), testing::Not(HasSubstr("causeway_http_slow_senders_total 0")));
  EXPECT_EQ(clients.front().read_to_end(), "");
  clients.clear();
  wait_for_metric("causeway_http_body_bytes 0");
}

}  // namespace
}  // namespace causeway::http::test
