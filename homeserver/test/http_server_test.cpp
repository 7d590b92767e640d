// Requests and replies over real sockets: what a well-behaved client gets.
#include <zlib.h>

#include "homeserver/test/http_fixture.hpp"
#include "schema/db/database.hpp"

namespace causeway::http::test {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr std::string_view get_echo = "GET /echo HTTP/1.1\r\nHost: x\r\n\r\n";

class HttpServerTest : public HttpTest {
 protected:
  HttpServerTest() {
    add(Verb::get, "/echo", echo);
    add(Verb::put, "/echo", echo);
    add(Verb::post, "/echo", echo, Auth::none, RateClass::unlimited, 100 * kib);
    add(Verb::get, "/echo/{any}", echo);
    add(Verb::get, "/secret", echo, Auth::access_token);
    add(Verb::get, "/maybe", echo, Auth::optional_access_token);
    add(Verb::get, "/peer", echo, Auth::federation);
  }
};

TEST_F(HttpServerTest, connection_is_kept_for_the_next_request) {
  start();
  RawClient client(port());
  for (int i = 0; i < 3; ++i) {
    const auto reply = client.roundtrip(get_echo);
    EXPECT_EQ(reply.status, 200);
    EXPECT_EQ(reply.headers.at("content-type"), "application/json");
    EXPECT_FALSE(reply.headers.at("x-request-id").empty());
    EXPECT_FALSE(reply.headers.contains("connection"));
  }
}

TEST_F(HttpServerTest, connection_close_is_honoured) {
  start();
  RawClient client(port());
  client.send("GET /echo HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  EXPECT_THAT(client.read_to_end(), HasSubstr("Connection: close"));
}

TEST_F(HttpServerTest, http_1_0_closes_unless_asked_not_to) {
  start();
  RawClient client(port());
  EXPECT_EQ(client.roundtrip("GET /echo HTTP/1.0\r\nConnection: keep-alive\r\n\r\n").headers.at("connection"),
            "keep-alive");
  client.send("GET /echo HTTP/1.0\r\n\r\n");
  EXPECT_THAT(client.read_to_end(), HasSubstr("200 OK"));
}

TEST_F(HttpServerTest, pipelined_requests_are_answered_in_order) {
  auto gate = std::make_shared<Gate>(executor());
  add(Verb::get, "/slow", [gate](Request& request) -> Task<Result<Response>> {
    co_await gate->wait();
    co_return co_await echo(request);
  });
  start();
  auto reached = gate->reached();
  RawClient client(port());
  client.send(
      "GET /slow HTTP/1.1\r\nHost: x\r\n\r\n"
      "PUT /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc"
      "GET /echo/last HTTP/1.1\r\nHost: x\r\n\r\n");
  reached.get();
  on_reactor([&] { gate->open(); });
  EXPECT_THAT(client.read_reply().body, HasSubstr("\"/slow\""));
  EXPECT_THAT(client.read_reply().body, HasSubstr("\"abc\""));
  EXPECT_THAT(client.read_reply().body, HasSubstr("\"/echo/last\""));
}

TEST_F(HttpServerTest, unknown_path_and_wrong_method_are_unrecognized) {
  start();
  RawClient client(port());
  const auto unknown = client.roundtrip("GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_EQ(unknown.status, 404);
  EXPECT_EQ(unknown.errcode(), "M_UNRECOGNIZED");
  EXPECT_EQ(unknown.headers.at("access-control-allow-origin"), "*");
  const auto wrong = client.roundtrip("DELETE /echo HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_EQ(wrong.status, 405);
  EXPECT_EQ(wrong.errcode(), "M_UNRECOGNIZED");
  EXPECT_EQ(wrong.headers.at("allow"), "GET, HEAD, POST, PUT, OPTIONS");
  const auto odd = client.roundtrip("PATCH /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}");
  EXPECT_EQ(odd.status, 405);
  EXPECT_EQ(client.roundtrip(get_echo).status, 200) << "refused requests keep their connection";
}

TEST_F(HttpServerTest, options_is_answered_everywhere_without_the_endpoint) {
  bool called = false;
  add(Verb::post, "/effect", [&called](Request& request) {
    called = true;
    return echo(request);
  });
  start();
  RawClient client(port());
  for (const auto* target : {"/effect", "/secret", "/nothing", "*"}) {
    const auto reply = client.roundtrip("OPTIONS " + std::string(target) + " HTTP/1.1\r\nHost: x\r\n\r\n");
    EXPECT_EQ(reply.status, 204) << target;
    EXPECT_EQ(reply.headers.at("access-control-allow-origin"), "*");
    EXPECT_THAT(reply.headers.at("access-control-allow-methods"), HasSubstr("PUT"));
    EXPECT_THAT(reply.headers.at("access-control-allow-headers"), HasSubstr("Authorization"));
  }
  EXPECT_FALSE(called);
}

TEST_F(HttpServerTest, head_is_get_without_the_body) {
  start();
  RawClient client(port());
  client.send("HEAD /echo HTTP/1.1\r\nHost: x\r\n\r\n");
  const auto head = client.read_reply(true);
  EXPECT_EQ(head.status, 200);
  EXPECT_NE(head.headers.at("content-length"), "0");
  EXPECT_EQ(client.roundtrip(get_echo).status, 200);
}

TEST_F(HttpServerTest, path_parameters_and_query_are_decoded) {
  start();
  RawClient client(port());
  const auto reply = client.roundtrip("GET /echo/%23a%2Fb%3Ax?via=a+b%2B&via=c HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_THAT(reply.body, HasSubstr("[\"#a/b:x\"]"));
  EXPECT_THAT(reply.body, HasSubstr("a b+"));
  for (const auto* target : {"/echo/%zz", "/echo/%ff", "/echo?a=%ff", "/echo?a=%"}) {
    const auto bad = client.roundtrip("GET " + std::string(target) + " HTTP/1.1\r\nHost: x\r\n\r\n");
    EXPECT_EQ(bad.status, 400) << target;
    EXPECT_EQ(bad.errcode(), "M_INVALID_PARAM");
  }
}

TEST_F(HttpServerTest, absolute_target_is_served_like_its_path) {
  start();
  RawClient client(port());
  EXPECT_EQ(client.roundtrip("GET http://x/echo HTTP/1.1\r\nHost: x\r\n\r\n").status, 200);
}

TEST_F(HttpServerTest, repeated_headers_are_joined_in_order) {
  start();
  RawClient client(port());
  const auto reply = client.roundtrip("GET /echo HTTP/1.1\r\nHost: x\r\nX-A: 1\r\nx-a:2\r\nX-Empty:\r\n\r\n");
  EXPECT_THAT(reply.body, HasSubstr("\"header:x-a\":\"1, 2\""));
  EXPECT_THAT(reply.body, HasSubstr("\"header:x-empty\":\"\""));
}

TEST_F(HttpServerTest, chunked_body_arrives_whole_and_its_trailers_are_ignored) {
  start();
  RawClient client(port());
  client.send("POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
  const auto reply = client.roundtrip("4;name=value\r\ndefg\r\n0\r\nAuthorization: Bearer good\r\n\r\n");
  EXPECT_THAT(reply.body, HasSubstr("\"abcdefg\""));
  EXPECT_THAT(reply.body, Not(HasSubstr("authorization")));
  EXPECT_EQ(client.roundtrip(get_echo).status, 200);
}

TEST_F(HttpServerTest, body_of_many_reads_arrives_whole) {
  start();
  RawClient client(port());
  const std::string body(100 * kib, 'x');
  const auto reply = client.roundtrip(
      "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body);
  EXPECT_THAT(reply.body, HasSubstr(body));
}

TEST_F(HttpServerTest, expect_continue_is_granted_before_the_body) {
  start();
  RawClient client(port());
  client.send("PUT /echo HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n");
  EXPECT_EQ(client.read_reply().status, 100);
  const auto reply = client.roundtrip("abc");
  EXPECT_EQ(reply.status, 200);
  EXPECT_THAT(reply.body, HasSubstr("\"abc\""));
}

TEST_F(HttpServerTest, expect_continue_for_an_unknown_endpoint_is_refused_at_once) {
  start();
  RawClient client(port());
  client.send("PUT /nothing HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n");
  const auto reply = client.read_reply();
  EXPECT_EQ(reply.status, 404);
  EXPECT_EQ(reply.errcode(), "M_UNRECOGNIZED");
}

TEST_F(HttpServerTest, access_token_comes_from_the_header_or_the_query) {
  start();
  RawClient client(port());
  const auto status_of = [&](const std::string& target, const std::string& header = "") {
    const auto reply = client.roundtrip("GET " + target + " HTTP/1.1\r\nHost: x\r\n" + header + "\r\n");
    return reply.status == 200 ? reply.body : reply.errcode();
  };
  EXPECT_THAT(status_of("/secret", "Authorization: Bearer good\r\n"), HasSubstr("@user:test"));
  EXPECT_THAT(status_of("/secret", "authorization: bearer good\r\n"), HasSubstr("@user:test"));
  EXPECT_THAT(status_of("/secret?access_token=good"), HasSubstr("@user:test"));
  EXPECT_EQ(status_of("/secret"), "M_MISSING_TOKEN");
  EXPECT_EQ(status_of("/secret", "Authorization: Basic Z29vZA==\r\n"), "M_MISSING_TOKEN");
  EXPECT_EQ(status_of("/secret", "Authorization: Bearer bad\r\n"), "M_UNKNOWN_TOKEN");
  EXPECT_THAT(status_of("/maybe"), HasSubstr("\"user\":\"\""));
  EXPECT_THAT(status_of("/maybe", "Authorization: Bearer good\r\n"), HasSubstr("@user:test"));
  EXPECT_EQ(status_of("/maybe", "Authorization: Bearer bad\r\n"), "M_UNKNOWN_TOKEN");
  EXPECT_EQ(status_of("/peer"), "M_UNAUTHORIZED");
  EXPECT_THAT(status_of("/peer", "Authorization: X-Matrix origin=peer.test\r\n"), HasSubstr("peer.test"));
}

TEST_F(HttpServerTest, exception_becomes_500_without_internals) {
  add(Verb::get, "/throws",
      [](Request&) -> Task<Result<Response>> { throw std::runtime_error("password is hunter2"); });
  start();
  RawClient client(port());
  const auto reply = client.roundtrip("GET /throws HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_EQ(reply.status, 500);
  EXPECT_EQ(reply.errcode(), "M_UNKNOWN");
  EXPECT_THAT(reply.body, Not(HasSubstr("hunter2")));
  EXPECT_EQ(client.roundtrip(get_echo).status, 200);
}

TEST_F(HttpServerTest, unavailable_database_is_503_with_a_time_to_come_back) {
  add(Verb::get, "/needs_data",
      [](Request&) -> Task<Result<Response>> { throw db::Unavailable("host db.internal is down"); });
  start();
  RawClient client(port());
  const auto reply = client.roundtrip("GET /needs_data HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_EQ(reply.status, 503);
  EXPECT_EQ(reply.errcode(), "M_UNKNOWN");
  EXPECT_TRUE(reply.headers.contains("retry-after"));
  EXPECT_THAT(reply.body, Not(HasSubstr("internal")));
}

TEST_F(HttpServerTest, every_endpoint_is_counted_from_the_start) {
  start();
  EXPECT_THAT(metrics_text(), HasSubstr("path=\"/echo\",status=\"200\"} 0"));
}

TEST_F(HttpServerTest, requests_and_errors_are_counted) {
  start();
  RawClient client(port());
  client.roundtrip(get_echo);
  client.roundtrip("GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n");
  const auto text = metrics_text();
  EXPECT_THAT(text, HasSubstr("causeway_http_requests_total{method=\"GET\",operation=\"test_operation\",path=\"/echo\","
                              "status=\"200\"} 1"));
  EXPECT_THAT(text, HasSubstr("causeway_http_requests_total{method=\"none\",operation=\"none\",path=\"none\","
                              "status=\"404\"} 1"));
  EXPECT_THAT(text, HasSubstr("causeway_http_errors_total{errcode=\"M_UNRECOGNIZED\"} 1"));
  EXPECT_THAT(text, HasSubstr("causeway_http_connections 1"));
  EXPECT_THAT(text, HasSubstr("causeway_http_request_seconds_count{operation=\"test_operation\"} 1"));
}

// Inflates gzip as well as zlib's format.
std::string inflate(const std::string& data) {
  z_stream stream{};
  inflateInit2(&stream, MAX_WBITS + 32);
  std::string out(1 << 20, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(data.data()));
  stream.avail_in = static_cast<uInt>(data.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(::inflate(&stream, Z_FINISH), Z_STREAM_END);
  out.resize(stream.total_out);
  inflateEnd(&stream);
  return out;
}

TEST_F(HttpServerTest, large_bodies_are_compressed_for_those_who_accept_it) {
  const std::string medium(4 * kib, 'm'), large(200 * kib, 'l');
  add(Verb::get, "/medium", [&](Request&) -> Task<Result<Response>> { co_return Response::json_text(medium); });
  add(Verb::get, "/large", [&](Request&) -> Task<Result<Response>> { co_return Response::json_text(large); });
  start();
  RawClient client(port());
  const auto get = [&](const std::string& path, const std::string& accept) {
    return client.roundtrip("GET " + path + " HTTP/1.1\r\nHost: x\r\nAccept-Encoding: " + accept + "\r\n\r\n");
  };
  for (const auto& [path, body] : {std::pair("/medium", medium), std::pair("/large", large)}) {
    const auto gzip = get(path, "deflate, gzip;q=1.0");
    EXPECT_EQ(gzip.headers.at("content-encoding"), "gzip");
    EXPECT_EQ(gzip.headers.at("vary"), "Accept-Encoding");
    EXPECT_EQ(inflate(gzip.body), body);
    const auto deflate = get(path, "deflate, gzip;q=0");
    EXPECT_EQ(deflate.headers.at("content-encoding"), "deflate");
    EXPECT_EQ(inflate(deflate.body), body);
    const auto plain = get(path, "br, identity");
    EXPECT_FALSE(plain.headers.contains("content-encoding"));
    EXPECT_EQ(plain.body, body);
  }
  EXPECT_FALSE(get("/echo", "gzip").headers.contains("content-encoding")) << "too small";
}

TEST_F(HttpServerTest, long_poll_learns_that_its_client_has_gone) {
  auto gate = std::make_shared<Gate>(executor());
  std::promise<void> gone;
  add(Verb::get, "/poll", [gate, &gone](Request& request) -> Task<Result<Response>> {
    request.disconnect.notify([gate] { gate->open(); });
    co_await gate->wait();
    if (request.disconnect.happened()) gone.set_value();
    co_return Response::empty_object();
  });
  start();
  auto reached = gate->reached();
  {
    RawClient client(port());
    client.send("GET /poll HTTP/1.1\r\nHost: x\r\n\r\n");
    reached.get();
  }
  EXPECT_EQ(gone.get_future().wait_for(std::chrono::seconds(10)), std::future_status::ready);
}

TEST_F(HttpServerTest, handler_beyond_its_deadline_is_answered_for) {
  settings.handler_timeout = std::chrono::milliseconds(50);
  auto gate = std::make_shared<Gate>(executor());
  add(Verb::get, "/stuck", [gate](Request& request) -> Task<Result<Response>> {
    co_await gate->wait();
    co_return co_await echo(request);
  });
  start();
  RawClient client(port());
  EXPECT_EQ(client.roundtrip("GET /stuck HTTP/1.1\r\nHost: x\r\n\r\n").status, 504);
  EXPECT_EQ(client.roundtrip(get_echo).status, 200);
  on_reactor([&] { gate->open(); });
}

}  // namespace
}  // namespace causeway::http::test
