// TLS, certificates and the end of a server.
#include "homeserver/test/http_fixture.hpp"

namespace causeway::http::test {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr std::string_view get_echo = "GET /echo HTTP/1.1\r\nHost: x\r\n\r\n";

class HttpLifetimeTest : public HttpTest {
 protected:
  HttpLifetimeTest() {
    add(Verb::get, "/echo", echo);
    add(Verb::post, "/echo", echo, Auth::none, RateClass::unlimited, 100 * kib);
  }
  void use_tls() {
    auto& listener = settings.listeners.at(0);
    listener.tls = true;
    set_certificate(listener, "first");
  }
  static void set_certificate(ListenerSettings& listener, const std::string& name) {
    auto certificate = make_certificate(name);
    listener.certificate_pem = certificate.certificate_pem;
    listener.key_pem = certificate.key_pem;
  }
  std::shared_ptr<Gate> add_gate(Verb verb, const std::string& path) {
    auto gate = std::make_shared<Gate>(executor());
    add(verb, path, [gate](Request& request) -> Task<Result<Response>> {
      co_await gate->wait();
      co_return co_await echo(request);
    });
    return gate;
  }
  std::future<void> drain(std::chrono::milliseconds grace) {
    auto done = std::make_shared<std::promise<void>>();
    auto future = done->get_future();
    auto finished = [done](std::exception_ptr) { done->set_value(); };
    on_reactor([&] { spawn(executor(), server().drain(grace), finished); });
    return future;
  }
};

TEST_F(HttpLifetimeTest, tls_serves_like_plain) {
  use_tls();
  settings.listeners.push_back({"127.0.0.1", 0});
  start();
  RawClient client(port(), true);
  EXPECT_EQ(client.roundtrip(get_echo).status, 200);
  const std::string body(100 * kib, 'x');
  const auto reply = client.roundtrip(
      "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body);
  EXPECT_THAT(reply.body, HasSubstr(body));
  client.send(get_echo);
  client.send("GET /echo HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  EXPECT_EQ(client.read_reply().status, 200);
  EXPECT_EQ(client.read_reply().status, 200);
  EXPECT_THAT(client.read_to_end(), IsEmpty());
  EXPECT_EQ(RawClient(port(1)).roundtrip(get_echo).status, 200);
}

TEST_F(HttpLifetimeTest, plain_text_on_a_tls_port_harms_nobody) {
  use_tls();
  start();
  RawClient plain(port());
  plain.send(get_echo);
  plain.read_to_end();
  EXPECT_EQ(RawClient(port(), true).roundtrip(get_echo).status, 200);
}

TEST_F(HttpLifetimeTest, slow_tls_handshake_is_cut_off) {
  use_tls();
  settings.header_timeout = 30ms;
  start();
  RawClient silent(port());
  EXPECT_THAT(silent.read_to_end(), IsEmpty());
}

TEST_F(HttpLifetimeTest, reloaded_certificate_is_for_new_connections) {
  use_tls();
  start();
  RawClient before(port(), true);
  EXPECT_EQ(before.certificate_name(), "first");
  auto listeners = settings.listeners;
  set_certificate(listeners[0], "second");
  on_reactor([&] { server().reload_certificates(listeners); });
  RawClient after(port(), true);
  EXPECT_EQ(after.certificate_name(), "second");
  EXPECT_EQ(after.roundtrip(get_echo).status, 200);
  EXPECT_EQ(before.roundtrip(get_echo).status, 200);
}

TEST_F(HttpLifetimeTest, certificate_that_does_not_fit_changes_nothing) {
  use_tls();
  start();
  auto listeners = settings.listeners;
  listeners[0].key_pem = make_certificate("other").key_pem;
  on_reactor([&] { EXPECT_THROW(server().reload_certificates(listeners), std::runtime_error); });
  listeners[0].certificate_pem = "not PEM";
  on_reactor([&] { EXPECT_THROW(server().reload_certificates(listeners), std::runtime_error); });
  EXPECT_EQ(RawClient(port(), true).certificate_name(), "first");
}

TEST_F(HttpLifetimeTest, listening_where_it_is_impossible_names_the_address) {
  settings.listeners[0].address = "203.0.113.1";
  try {
    start();
    FAIL() << "must throw";
  } catch (const std::runtime_error& error) {
    EXPECT_THAT(error.what(), HasSubstr("203.0.113.1"));
  }
}

TEST_F(HttpLifetimeTest, drain_finishes_what_is_in_flight_and_closes_the_idle) {
  auto gate = add_gate(Verb::get, "/poll");
  start();
  auto reached = gate->reached();
  RawClient idle(port()), busy(port());
  EXPECT_EQ(idle.roundtrip(get_echo).status, 200);
  busy.send("GET /poll HTTP/1.1\r\nHost: x\r\n\r\n");
  reached.get();
  auto drained = drain(10s);
  EXPECT_THAT(idle.read_to_end(), IsEmpty());
  EXPECT_THROW(RawClient(port()).roundtrip(get_echo), std::runtime_error);
  on_reactor([&] { gate->open(); });
  const auto reply = busy.read_reply();
  EXPECT_EQ(reply.status, 200);
  EXPECT_EQ(reply.headers.at("connection"), "close");
  drained.get();
  EXPECT_EQ(server().open_connections(), 0u);
}

TEST_F(HttpLifetimeTest, drain_waits_no_longer_than_its_grace) {
  auto gate = add_gate(Verb::get, "/poll");
  start();
  auto reached = gate->reached();
  RawClient busy(port());
  busy.send("GET /poll HTTP/1.1\r\nHost: x\r\n\r\n");
  reached.get();
  drain(30ms).get();
  EXPECT_THAT(busy.read_to_end(), IsEmpty());
  on_reactor([&] { gate->open(); });
}

}  // namespace
}  // namespace causeway::http::test
