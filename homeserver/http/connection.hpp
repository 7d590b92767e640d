// One client's connection: reads requests, one after the other, and writes their replies in that order.
#pragma once

#include "homeserver/http/client_stream.hpp"
#include "homeserver/http/connection_table.hpp"
#include "homeserver/http/pipeline.hpp"
#include "homeserver/http/reply_head.hpp"
#include "homeserver/http/request_bodies.hpp"
#include "homeserver/http/request_reader.hpp"
#include "homeserver/http/unsent_replies.hpp"

namespace causeway::http {

// What the connections of a server share; lives as long as the last of them.
struct ServerCore {
  ServerCore(asio::any_io_executor executor, ServerSettings s, const Router& router, AccessTokenAuthenticators users,
             FederationAuthenticator& servers, CpuPool& cpu, const Clock& clock, Metrics& metrics)
      : settings(std::move(s)),
        pipeline(executor, settings, router, std::move(users), servers, cpu, clock, metrics),
        connections(metrics),
        unsent(settings.max_unsent_bytes, metrics),
        bodies(max_body_bytes(settings), metrics) {}
  // Half of what replies may take, but never less than two of the largest bodies.
  static std::size_t max_body_bytes(const ServerSettings& settings) {
    return std::max<std::size_t>(settings.max_unsent_bytes / 2, 32 * 1024 * kib);
  }
  const ServerSettings settings;
  Pipeline pipeline;
  ConnectionTable connections;
  UnsentReplies unsent;
  RequestBodies bodies;
  bool draining = false;
};

class Connection : public std::enable_shared_from_this<Connection>, public ListedConnection {
 public:
  Connection(std::shared_ptr<ServerCore> core, asio::ip::tcp::socket socket, ClientStream::TlsContext tls);
  ~Connection();

  // Serves until the client leaves, a limit is broken or the server drains. The caller keeps the connection alive.
  Task<> run();
  // At once: what is being read or written breaks off. A handler under way runs to its end. False: it was closed.
  bool close();

 private:
  Task<bool> handshake();
  Task<bool> serve_one();  // false: no further request on this connection
  Task<bool> first_byte();
  Task<std::shared_ptr<Exchange>> read_request();  // nullptr: there is none, and the client has been told
  Task<boost::system::error_code> read_body(RequestReader& reader, const Exchange& exchange);
  Task<boost::system::error_code> begin_body(RequestReader& reader);
  Task<std::string> read_streamed();
  void end_streamed_body();
  Task<Response> answer(std::shared_ptr<Exchange> exchange);
  Task<bool> write(const Response& response, bool head_only);
  Task<bool> write_body(std::string_view body);
  Task<bool> write_source(const Response& response);
  Task<> run_upgraded(const Response& response);
  Task<bool> write_bytes(std::string_view bytes);
  Task<> refuse(const MatrixError& error);
  Task<> end();

  void set_deadline(std::chrono::steady_clock::time_point at);
  void set_deadline(std::chrono::milliseconds from_now) { set_deadline(std::chrono::steady_clock::now() + from_now); }
  void clear_deadline() { deadline_ = no_deadline; }
  void arm_timer();
  void on_deadline();
  void watch_disconnect();

  std::shared_ptr<ServerCore> core_;
  ClientStream stream_;
  asio::ip::address peer_;
  boost::beast::flat_buffer buffer_;  // what was read beyond the current request
  ReplyFraming framing_;
  KnownAsker asker_;  // of the last request that said who asks

  static constexpr auto no_deadline = std::chrono::steady_clock::time_point::max();
  std::chrono::steady_clock::time_point deadline_ = no_deadline;
  asio::steady_timer timer_;  // fires at or before the deadline, and is then set again
  std::chrono::steady_clock::time_point armed_for_ = no_deadline;
  bool timed_out_ = false;

  std::optional<RequestBodies::Body> body_;  // until it is answered
  class Incoming;
  std::unique_ptr<RequestReader> streamed_;  // while the handler takes the body as it comes
  std::shared_ptr<Incoming> incoming_;
  std::chrono::steady_clock::time_point streaming_since_;
  std::uint64_t streamed_bytes_ = 0;
  bool reading_streamed_ = false;
  class Upgraded;
  std::shared_ptr<Exchange> answering_;  // while its handler runs
  bool watching_disconnect_ = false;
};

}  // namespace causeway::http
