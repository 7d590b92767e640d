// A server on loopback in a thread of its own, and a client that sends exactly the bytes it is told to.
#pragma once

#include <gmock/gmock.h>

#include <boost/asio/executor_work_guard.hpp>
#include <future>
#include <thread>

#include "homeserver/http/server.hpp"

struct ssl_st;
struct ssl_ctx_st;

namespace causeway::http::test {

struct Reply {
  int status = 0;                              // 0: the server closed without a reply
  std::map<std::string, std::string> headers;  // names in lower case
  std::string body;
  std::string errcode() const;
};

// Blocking, with a guard of 10 s after which the test fails.
class RawClient {
 public:
  explicit RawClient(std::uint16_t port, bool tls = false);
  ~RawClient();
  RawClient(const RawClient&) = delete;
  RawClient& operator=(const RawClient&) = delete;

  void send(std::string_view bytes);
  Reply read_reply(bool head_only = false);
  Reply roundtrip(std::string_view bytes);
  std::string read_to_end();  // until the server closes
  void close();
  std::string certificate_name() const;  // TLS: the common name that the server showed

 private:
  bool read_more();
  int fd_ = -1;
  ssl_ctx_st* context_ = nullptr;
  ssl_st* ssl_ = nullptr;
  std::string received_;
};

// A self-signed certificate and its key.
struct Certificate {
  std::string certificate_pem, key_pem;
};
Certificate make_certificate(const std::string& common_name);

// Keeps handlers waiting until it is opened. Belongs to the reactor; wait() is called there.
class Gate {
 public:
  explicit Gate(asio::any_io_executor executor) : timer_(executor, asio::steady_timer::time_point::max()) {}
  Task<> wait();
  void open();                                                   // on the reactor
  std::future<void> reached() { return reached_.get_future(); }  // once: the first handler waits

 private:
  asio::steady_timer timer_;
  std::promise<void> reached_;
  bool was_reached_ = false;
};

class HttpTest : public testing::Test, public AccessTokenAuthenticator, public FederationAuthenticator {
 protected:
  using Handler = std::function<Task<Result<Response>>(Request&)>;
  HttpTest();
  ~HttpTest() override;

  void add(Verb verb, std::string path, Handler handler, Auth auth = Auth::none, RateClass rate = RateClass::unlimited,
           std::size_t body_limit = kib);
  void add(Route route);
  void start();
  std::uint16_t port(std::size_t listener = 0) const { return ports_.at(listener); }
  // Runs `work` on the reactor and waits for it.
  void on_reactor(std::function<void()> work);
  asio::any_io_executor executor() { return context_.get_executor(); }
  Server& server() { return *server_; }
  std::string metrics_text() const { return metrics_.text(); }

  // "good" is @user:test's token, "good:other" is @other:test's; X-Matrix means peer.test.
  // "good-guest", "good-locked" and "good-suspended" are tokens of such users, "good-admin" is an administrator's.
  Task<std::optional<Result<Requester>>> authenticate_token(std::string token, const Request& request) override;
  Task<Result<ServerName>> authenticate_origin(const Request& request) override;

  ServerSettings settings;
  ManualClock clock;

 private:
  asio::io_context context_;
  asio::executor_work_guard<asio::io_context::executor_type> work_;
  CpuPool cpu_{1};
  Metrics metrics_;
  Router router_;
  std::unique_ptr<Server> server_;
  std::vector<std::uint16_t> ports_;
  std::thread thread_;
};

// Says back what it was asked, as JSON.
Task<Result<Response>> echo(Request& request);

}  // namespace causeway::http::test
