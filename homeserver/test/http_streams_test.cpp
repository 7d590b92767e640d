// Bodies that are streamed, connections that are upgraded, and who may call what.
#include <fcntl.h>
#include <unistd.h>

#include "homeserver/test/http_fixture.hpp"

namespace causeway::http::test {
namespace {

using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

// Gives so many pieces, and then ends as it is told to.
class Pieces final : public BodySource {
 public:
  Pieces(std::vector<std::string> pieces, std::optional<std::uint64_t> announced, bool breaks_off = false)
      : pieces_(std::move(pieces)), announced_(announced), breaks_off_(breaks_off) {}
  std::optional<std::uint64_t> length() const override { return announced_; }
  Task<std::string> read() override {
    co_await yield_once();
    if (next_ < pieces_.size()) co_return pieces_[next_++];
    if (breaks_off_) throw std::runtime_error("as arranged");
    co_return std::string();
  }

 private:
  const std::vector<std::string> pieces_;
  const std::optional<std::uint64_t> announced_;
  const bool breaks_off_;
  std::size_t next_ = 0;
};

class HttpStreamsTest : public HttpTest {
 protected:
  void serve(std::string path, std::vector<std::string> pieces, std::optional<std::uint64_t> announced,
             bool breaks_off = false) {
    add(Verb::get, std::move(path), [=](Request&) -> Task<Result<Response>> {
      co_return Response::stream("text/plain", std::make_shared<Pieces>(pieces, announced, breaks_off));
    });
  }
  // PUT /upload answers with how many bytes it took.
  void take_uploads(std::uint64_t at_most_taken = std::numeric_limits<std::uint64_t>::max(),
                    std::size_t limit = 64 * 1024 * kib) {
    Route route{
        Verb::put,
        "/upload",
        "test_operation",
        Auth::none,
        RateClass::unlimited,
        limit,
        [this, at_most_taken](Request& request) -> Task<Result<Response>> { return upload(request, at_most_taken); }};
    route.body = BodyUse::streamed;
    add(std::move(route));
  }
  Task<Result<Response>> upload(Request& request, std::uint64_t at_most) {
    std::uint64_t bytes = 0;
    while (bytes < at_most) {
      const std::string piece = co_await request.incoming->read();
      if (piece.empty()) break;
      bytes += piece.size();
      largest_piece_ = std::max(largest_piece_, piece.size());
    }
    boost::json::object said;
    said["bytes"] = bytes;
    co_return Response::json(said);
  }
  static std::string put(std::size_t bytes, std::string_view more_headers = "") {
    return "PUT /upload HTTP/1.1\r\nHost: x\r\nContent-Length: " + std::to_string(bytes) + "\r\n" +
           std::string(more_headers) + "\r\n";
  }
  std::size_t largest_piece_ = 0;
};

TEST_F(HttpStreamsTest, a_reply_of_known_length_is_sent_as_it_is_and_the_connection_kept) {
  serve("/known", {std::string(200'000, 'a'), "bc"}, 200'002);
  start();
  RawClient client(port());
  for (int i = 0; i < 2; ++i) {
    const auto reply = client.roundtrip("GET /known HTTP/1.1\r\nHost: x\r\n\r\n");
    EXPECT_EQ(reply.headers.at("content-length"), "200002");
    EXPECT_EQ(reply.headers.at("content-type"), "text/plain");
    EXPECT_EQ(reply.body.size(), 200'002u);
    EXPECT_THAT(reply.body, EndsWith("abc"));
  }
  client.send("HEAD /known HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_EQ(client.read_reply(true).headers.at("content-length"), "200002");
}

TEST_F(HttpStreamsTest, a_reply_of_unknown_length_is_chunked_and_for_http_1_0_ends_with_the_connection) {
  serve("/unknown", {"one", "twelve bytes"}, std::nullopt);
  start();
  RawClient client(port());
  client.send("GET /unknown HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  const std::string all = client.read_to_end();
  EXPECT_THAT(all, HasSubstr("Transfer-Encoding: chunked\r\n"));
  EXPECT_THAT(all, EndsWith("\r\n\r\n3\r\none\r\nc\r\ntwelve bytes\r\n0\r\n\r\n"));
  RawClient old(port());
  old.send("GET /unknown HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  const std::string to_old = old.read_to_end();
  EXPECT_THAT(to_old, Not(HasSubstr("chunked")));
  EXPECT_THAT(to_old, EndsWith("\r\n\r\nonetwelve bytes"));
}

TEST_F(HttpStreamsTest, a_reply_that_breaks_off_or_is_shorter_than_announced_is_no_whole_reply) {
  serve("/breaks", {"one"}, std::nullopt, true);
  serve("/short", {"one"}, 10);
  start();
  for (const auto* path : {"/breaks", "/short"}) {
    RawClient client(port());
    client.send("GET " + std::string(path) + " HTTP/1.1\r\nHost: x\r\n\r\n");
    const std::string all = client.read_to_end();
    EXPECT_THAT(all, StartsWith("HTTP/1.1 200"));
    EXPECT_THAT(all, Not(EndsWith("0\r\n\r\n")));
  }
}

TEST_F(HttpStreamsTest, part_of_a_file) {
  char path[] = "/tmp/causeway-body-XXXXXX";
  const int file = mkstemp(path);
  const std::string content(1'000'000, 'x');
  ASSERT_EQ(write(file, content.data(), content.size()), static_cast<ssize_t>(content.size()));
  ASSERT_EQ(pwrite(file, "HERE", 4, 500'000), 4);
  CpuPool pool(1);
  add(Verb::get, "/file", [&](Request&) -> Task<Result<Response>> {
    co_return Response::stream("text/plain", file_body(pool, dup(file), 500'000, 400'000));
  });
  add(Verb::get, "/beyond", [&](Request&) -> Task<Result<Response>> {
    co_return Response::stream("text/plain", file_body(pool, dup(file), 999'999, 2));
  });
  start();
  RawClient client(port());
  const auto reply = client.roundtrip("GET /file HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_EQ(reply.body.size(), 400'000u);
  EXPECT_THAT(reply.body, StartsWith("HEREx"));
  client.send("GET /beyond HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_THAT(client.read_to_end(), EndsWith("\r\n\r\nx"));
  unlink(path);
  close(file);
}

TEST_F(HttpStreamsTest, a_body_is_taken_in_pieces_and_the_connection_kept) {
  take_uploads();
  start();
  RawClient client(port());
  for (int i = 0; i < 2; ++i) {
    client.send(put(3'000'000));
    for (int piece = 0; piece < 30; ++piece)
      client.send(std::string(100'000, 'x'));
    EXPECT_EQ(client.read_reply().body, R"({"bytes":3000000})");
  }
  on_reactor([&] { EXPECT_LE(largest_piece_, 256 * kib); });
  EXPECT_EQ(client
                .roundtrip("PUT /upload HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
                           "5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n")
                .body,
            R"({"bytes":11})");
  EXPECT_EQ(client.roundtrip(put(0)).body, R"({"bytes":0})");
}

TEST_F(HttpStreamsTest, a_body_that_is_not_taken_ends_the_connection_behind_the_reply) {
  take_uploads(1);
  start();
  RawClient client(port());
  client.send(put(8'000'000));
  client.send(std::string(1'000'000, 'x'));
  const std::string all = client.read_to_end();
  EXPECT_THAT(all, StartsWith("HTTP/1.1 200"));
  EXPECT_THAT(all, HasSubstr("Connection: close"));
}

TEST_F(HttpStreamsTest, more_than_the_endpoint_accepts_is_413_at_once_or_breaks_off) {
  take_uploads(std::numeric_limits<std::uint64_t>::max(), 8 * kib);
  start();
  RawClient announced(port());
  EXPECT_EQ(announced.roundtrip(put(9'000)).status, 413);
  RawClient chunked(port());
  chunked.send("PUT /upload HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
  chunked.send("2710\r\n" + std::string(10'000, 'x') + "\r\n0\r\n\r\n");
  EXPECT_THAT(chunked.read_to_end(), Not(HasSubstr(" 200 ")));
}

TEST_F(HttpStreamsTest, only_a_body_that_is_taken_is_asked_for) {
  take_uploads();
  start();
  RawClient client(port());
  client.send(put(5, "Expect: 100-continue\r\n"));
  EXPECT_EQ(client.read_reply(true).status, 100);
  client.send("hello");
  EXPECT_EQ(client.read_reply().body, R"({"bytes":5})");
}

TEST_F(HttpStreamsTest, a_body_that_stops_coming_ends_the_request) {
  settings.body_timeout = std::chrono::milliseconds(50);
  take_uploads();
  start();
  RawClient client(port());
  client.send(put(100) + "some");
  EXPECT_THAT(client.read_to_end(), Not(HasSubstr(" 200 ")));
}

TEST_F(HttpStreamsTest, a_connection_is_upgraded_and_belongs_to_its_handler) {
  add(Verb::get, "/socket", [](Request&) -> Task<Result<Response>> {
    Response response;
    response.status = 101;
    response.headers = {{"Connection", "Upgrade"}, {"Upgrade", "echo"}};
    response.upgraded = [](UpgradedStream& stream) -> Task<> {
      for (;;) {
        const std::string bytes = co_await stream.read(std::chrono::seconds(5));
        if (bytes.empty() || bytes == "end") co_return;
        const std::string back = "<" + bytes + ">";
        if (!co_await stream.write(back)) co_return;
      }
    };
    co_return response;
  });
  start();
  RawClient client(port());
  client.send("GET /socket HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n");
  const auto head = client.read_reply(true);
  EXPECT_EQ(head.status, 101);
  EXPECT_EQ(head.headers.at("connection"), "Upgrade");
  EXPECT_FALSE(head.headers.contains("content-length"));
  client.send("hello");
  client.send("end");
  EXPECT_THAT(client.read_to_end(), StartsWith("<hello"));
}

TEST_F(HttpStreamsTest, guests_and_those_who_are_locked_or_suspended_call_only_what_is_for_them) {
  const auto everyday = [&](const char* path, Callers callers) {
    Route route{Verb::get, path, "test_operation", Auth::access_token, RateClass::unlimited, kib, echo};
    route.callers = callers;
    add(std::move(route));
  };
  everyday("/everyday", Callers::everyday);
  everyday("/all", Callers::guests | Callers::locked | Callers::suspended);
  everyday("/admin", Callers::admins_only);
  start();
  RawClient client(port());
  const auto ask = [&](const std::string& path, const std::string& who) {
    const auto reply =
        client.roundtrip("GET " + path + " HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer good" + who + "\r\n\r\n");
    return std::to_string(reply.status) + (reply.status == 200 ? "" : " " + reply.errcode());
  };
  EXPECT_EQ(ask("/everyday", ""), "200");
  EXPECT_EQ(ask("/everyday", "-guest"), "403 M_GUEST_ACCESS_FORBIDDEN");
  EXPECT_EQ(ask("/everyday", "-locked"), "401 M_USER_LOCKED");
  EXPECT_EQ(ask("/everyday", "-suspended"), "403 M_USER_SUSPENDED");
  for (const char* who : {"", "-guest", "-locked", "-suspended"})
    EXPECT_EQ(ask("/all", who), "200") << who;
  EXPECT_EQ(ask("/admin", ""), "403 M_FORBIDDEN");
  EXPECT_EQ(ask("/admin", "-admin"), "200");
}

}  // namespace
}  // namespace causeway::http::test
