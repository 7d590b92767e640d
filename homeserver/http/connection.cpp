#include "homeserver/http/connection.hpp"
#include "schema/log.hpp"

#include <netinet/tcp.h>

#include <boost/asio/write.hpp>

namespace causeway::http {
namespace {

using boost::system::error_code;
using namespace std::chrono_literals;

constexpr std::size_t idle_read_bytes = 512;
constexpr std::size_t longest_body_step = 64 * kib;
// Below this, header and body travel as one piece (one TLS record, one segment or few).
constexpr std::size_t join_body_below = 16 * kib;
// write_timeout is for so many bytes: a slow client may take its time for a large reply as long as it keeps reading.
constexpr std::size_t write_step_bytes = 256 * kib;
// body_timeout may be exceeded by a client that sends at least this fast.
constexpr std::size_t slow_body_bytes_per_second = 8 * kib;
// Only a handler that takes this long is told that its client has gone.
constexpr auto watch_disconnect_after = 1s;
constexpr auto goodbye_timeout = 2s;
constexpr std::size_t goodbye_bytes = 256 * kib;

// A client that has sent its FIN, whatever else it sent before, waits for nothing more.
bool peer_has_closed(asio::ip::tcp::socket& socket) {
  tcp_info info{};
  socklen_t length = sizeof(info);
  if (getsockopt(socket.native_handle(), IPPROTO_TCP, TCP_INFO, &info, &length) != 0) return true;
  return info.tcpi_state != TCP_ESTABLISHED;
}

}  // namespace

Connection::Connection(std::shared_ptr<ServerCore> core, asio::ip::tcp::socket socket, ClientStream::TlsContext tls)
    : core_(std::move(core)),
      stream_(std::move(socket), std::move(tls)),
      buffer_(core_->settings.max_header_bytes + 2 * longest_body_step),
      timer_(stream_.get_executor()) {
  error_code ignored;
  peer_ = stream_.socket().remote_endpoint(ignored).address();
  stream_.socket().set_option(asio::ip::tcp::no_delay(true), ignored);
}

Connection::~Connection() {
  // Where the reactor ended before run() did.
  core_->connections.remove(*this);
}

Task<> Connection::run() {
  try {
    bool open = co_await handshake();
    while (open)
      open = co_await serve_one();
    co_await end();
  } catch (const std::exception& error) {
    log::error("a connection from {} broke off: {}", peer_.to_string(), error.what());
  }
  close();
  core_->connections.remove(*this);
}

bool Connection::close() {
  error_code ignored;
  const bool was_open = stream_.socket().is_open();
  stream_.socket().close(ignored);
  timer_.cancel();
  return was_open;
}

Task<bool> Connection::handshake() {
  if (!stream_.tls()) co_return true;
  set_deadline(core_->settings.header_timeout);
  error_code error;
  co_await stream_.tls()->async_handshake(into(error));
  if (error) log::debug("TLS handshake with {} failed: {}", peer_.to_string(), error.message());
  co_return !error;
}

Task<bool> Connection::serve_one() {
  if (!co_await first_byte()) co_return false;
  auto exchange = co_await read_request();
  if (!exchange) co_return false;
  Response response;
  if (auto refusal = core_->pipeline.shed_at_once(*exchange, asker_))
    response = std::move(*refusal);
  else
    response = co_await answer(exchange);
  if (exchange->asker.is_known()) asker_ = exchange->asker;
  end_streamed_body();
  if (core_->draining) framing_.keep_alive = false;
  if (response.upgraded) {
    co_await run_upgraded(response);
    co_return false;
  }
  const bool head_only = exchange->request.verb == Verb::head;
  exchange.reset();
  body_.reset();
  const bool written = co_await write(response, head_only);
  co_return written&& framing_.keep_alive;
}

// Waits for a request as long as a client may be idle, with next to no memory.
Task<bool> Connection::first_byte() {
  if (buffer_.size() > 0) co_return true;
  if (core_->draining) co_return false;
  buffer_.shrink_to_fit();
  set_deadline(core_->settings.idle_timeout);
  core_->connections.set_idle(*this);
  error_code error;
  const std::size_t bytes = co_await stream_.async_read_some(buffer_.prepare(idle_read_bytes), into(error));
  core_->connections.set_busy(*this);
  buffer_.commit(bytes);
  co_return !error;
}

// What the handler of a streamed request takes from. It may outlive the request.
class Connection::Incoming final : public BodySource {
 public:
  Incoming(Connection& connection, std::optional<std::uint64_t> announced)
      : connection_(&connection), length_(announced) {}
  std::optional<std::uint64_t> length() const override { return length_; }
  Task<std::string> read() override {
    if (!connection_) throw std::runtime_error("the request is over");
    return connection_->read_streamed();
  }
  void end() { connection_ = nullptr; }

 private:
  Connection* connection_;
  const std::optional<std::uint64_t> length_;
};

Task<std::shared_ptr<Exchange>> Connection::read_request() {
  auto reading = std::make_unique<RequestReader>(stream_, buffer_, core_->settings.max_header_bytes);
  RequestReader& reader = *reading;
  auto exchange = std::make_shared<Exchange>();
  framing_ = ReplyFraming();
  set_deadline(core_->settings.header_timeout);
  error_code error = co_await reader.read_header(exchange->request);
  if (!error) {
    core_->pipeline.begin(*exchange, peer_);
    framing_.keep_alive = reader.keep_alive();
    framing_.http_1_0 = reader.http_1_0();
    framing_.request_id = exchange->request.id;
    if (Pipeline::streams_body(*exchange)) {
      error = reader.limit_body(core_->pipeline.body_limit(*exchange));
    } else {
      error = co_await read_body(reader, *exchange);
    }
  }
  clear_deadline();
  if (!error && Pipeline::streams_body(*exchange)) {
    streamed_ = std::move(reading);
    incoming_ = std::make_shared<Incoming>(*this, streamed_->announced_length());
    exchange->request.incoming = incoming_;
    co_return exchange;
  }
  if (!error) {
    exchange->request.body = reader.take_body();
    buffer_.shrink_to_fit();
    co_return exchange;
  }
  if (timed_out_) error = asio::error::timed_out;
  auto told = read_error(error);
  if (told && exchange->refusal) told = exchange->refusal;
  body_.reset();
  if (told) co_await refuse(*told);
  co_return nullptr;
}

Task<error_code> Connection::read_body(RequestReader& reader, const Exchange& exchange) {
  if (!reader.has_unread_body()) co_return error_code();
  // Nobody needs to send a body that nobody will look at.
  const bool unwanted = exchange.refusal && reader.expects_continue();
  if (auto error = reader.limit_body(unwanted ? 0 : core_->pipeline.body_limit(exchange))) co_return error;
  const auto started = std::chrono::steady_clock::now();
  set_deadline(started + core_->settings.body_timeout);
  if (auto error = co_await begin_body(reader)) co_return error;
  while (reader.has_unread_body()) {
    const auto error = co_await reader.read_some_body();
    if (error) co_return error;
    if (!body_->hold(reader.body_bytes() + buffer_.capacity())) co_return asio::error::no_memory;
    const std::chrono::seconds earned(reader.body_bytes() / slow_body_bytes_per_second);
    set_deadline(started + core_->settings.body_timeout + earned);
  }
  body_->complete();
  co_return error_code();
}

Task<error_code> Connection::begin_body(RequestReader& reader) {
  body_.emplace(core_->bodies, *this);
  if (!reader.expects_continue() || reader.http_1_0() || buffer_.size() > 0) co_return error_code();
  const bool written = co_await write_bytes("HTTP/1.1 100 Continue\r\n\r\n");
  co_return written ? error_code() : error_code(asio::error::connection_reset);
}

Task<std::string> Connection::read_streamed() {
  const auto self = shared_from_this();
  const auto reading = incoming_;  // what is read for
  if (!streamed_->has_unread_body()) co_return std::string();
  reading_streamed_ = true;
  error_code error;
  if (!body_) {
    streaming_since_ = std::chrono::steady_clock::now();
    streamed_bytes_ = 0;
    error = co_await begin_body(*streamed_);
  }
  std::string piece;
  while (!error && piece.empty() && streamed_ && streamed_->has_unread_body()) {
    const std::chrono::seconds earned(streamed_bytes_ / slow_body_bytes_per_second);
    set_deadline(streaming_since_ + core_->settings.body_timeout + earned);
    error = co_await streamed_->read_some_body();
    piece = streamed_->take_body();
    if (!error && !body_->hold(piece.size() + buffer_.capacity())) error = asio::error::no_memory;
  }
  streamed_bytes_ += piece.size();
  reading_streamed_ = false;
  set_deadline(watch_disconnect_after);
  if (error) {
    framing_.keep_alive = false;
    throw boost::system::system_error(timed_out_ ? error_code(asio::error::timed_out) : error);
  }
  co_return piece;
}

// What the handler left of the body is in the way of the next request.
void Connection::end_streamed_body() {
  if (!streamed_) return;
  incoming_->end();
  incoming_.reset();
  if (streamed_->has_unread_body()) framing_.keep_alive = false;
  streamed_.reset();
}

Task<Response> Connection::answer(std::shared_ptr<Exchange> exchange) {
  answering_ = exchange;
  exchange->client_has_gone = [this] { return peer_has_closed(stream_.socket()); };
  set_deadline(watch_disconnect_after);
  auto response = co_await core_->pipeline.answer(exchange);
  answering_.reset();
  clear_deadline();
  if (std::exchange(watching_disconnect_, false)) {
    error_code ignored;
    stream_.socket().cancel(ignored);
  }
  co_return response;
}

Task<bool> Connection::write(const Response& response, bool head_only) {
  if (framing_.http_1_0 && !content_length(response)) framing_.keep_alive = false;
  auto head = reply_head(response, framing_, std::chrono::system_clock::now());
  std::string_view body = head_only || response.source ? std::string_view() : response.body;
  if (body.size() < join_body_below) head.append(std::exchange(body, {}));
  const bool written = co_await write_bytes(head);
  if (!written || head_only) co_return written;
  if (response.source) co_return co_await write_source(response);
  if (body.empty()) co_return true;
  co_return co_await write_body(body);
}

Task<bool> Connection::write_body(std::string_view body) {
  UnsentReplies::Reply unsent(core_->unsent, *this, body.size());
  bool written = true;
  while (written && !body.empty()) {
    const auto step = body.substr(0, write_step_bytes);
    body.remove_prefix(step.size());
    written = co_await write_bytes(step);
    unsent.progress();
  }
  co_return written;
}

// In pieces, each read when the one before has been taken.
Task<bool> Connection::write_source(const Response& response) {
  const bool chunked = !response.source->length() && !framing_.http_1_0;
  std::uint64_t left = response.source->length().value_or(std::numeric_limits<std::uint64_t>::max());
  for (;;) {
    std::string piece;
    try {
      piece = co_await response.source->read();
    } catch (const std::exception& error) {
      log::warn("{} a reply broke off: {}", framing_.request_id, error.what());
      co_return false;
    }
    if (piece.size() > left) co_return false;
    left -= piece.size();
    const bool is_last = piece.empty();
    if (chunked) piece = fmt::format("{:x}\r\n{}\r\n", piece.size(), piece);
    if (!piece.empty()) {
      const bool written = co_await write_body(piece);
      if (!written) co_return false;
    }
    if (is_last) co_return chunked || framing_.http_1_0 || left == 0;
  }
}

class Connection::Upgraded final : public UpgradedStream {
 public:
  explicit Upgraded(Connection& connection) : connection_(connection) {}
  Task<std::string> read(std::chrono::milliseconds within) override {
    std::string bytes;
    if (connection_.buffer_.size() == 0 && !connection_.core_->draining) {
      connection_.set_deadline(within);
      error_code error;
      const std::size_t got =
          co_await connection_.stream_.async_read_some(connection_.buffer_.prepare(16 * kib), into(error));
      connection_.clear_deadline();
      connection_.buffer_.commit(got);
    }
    const auto data = connection_.buffer_.cdata();
    bytes.assign(static_cast<const char*>(data.data()), data.size());
    connection_.buffer_.consume(data.size());
    co_return bytes;
  }
  Task<bool> write(std::string_view bytes) override { return connection_.write_bytes(bytes); }
  void close() override { connection_.close(); }

 private:
  Connection& connection_;
};

Task<> Connection::run_upgraded(const Response& response) {
  auto head = reply_head(response, framing_, std::chrono::system_clock::now());
  const bool written = co_await write_bytes(head);
  if (!written) co_return;
  Upgraded stream(*this);
  co_await response.upgraded(stream);
}

// The caller's bytes outlive the call.
Task<bool> Connection::write_bytes(std::string_view bytes) {
  // While the next request is here already, others get their turn in between.
  if (buffer_.size() == 0 && stream_.write_at_once(bytes)) co_return true;
  set_deadline(core_->settings.write_timeout);
  error_code error;
  co_await asio::async_write(stream_, asio::buffer(bytes), into(error));
  clear_deadline();
  co_return !error;
}

// Where in the input the next request would begin is unknown now, so this reply is the last.
Task<> Connection::refuse(const MatrixError& error) {
  framing_.keep_alive = false;
  timed_out_ = false;
  log::info("{} refused a request from {}: {} {}", framing_.request_id.empty() ? "-" : framing_.request_id,
            peer_.to_string(), error.status, error.message);
  const auto response = core_->pipeline.refuse(error);
  co_await write(response, false);
}

// Ends the stream so that the client gets all of the last reply: TLS by its closing alert; then what the client still
// sends is taken for a while, since closing over unread input makes the kernel send a reset that overtakes the reply.
Task<> Connection::end() {
  if (!stream_.socket().is_open() || timed_out_) co_return;
  set_deadline(goodbye_timeout);
  error_code error;
  if (stream_.tls()) co_await stream_.tls()->async_shutdown(into(error));
  if (timed_out_) co_return;
  stream_.socket().shutdown(asio::ip::tcp::socket::shutdown_send, error);
  std::array<char, 4 * kib> discarded;
  for (std::size_t taken = 0; !error && taken < goodbye_bytes;) {
    taken += co_await stream_.socket().async_read_some(asio::buffer(discarded), into(error));
  }
}

void Connection::set_deadline(std::chrono::steady_clock::time_point at) {
  deadline_ = at;
  if (at < armed_for_) arm_timer();
}

void Connection::arm_timer() {
  armed_for_ = deadline_;
  timer_.expires_at(deadline_);
  timer_.async_wait([self = shared_from_this()](const error_code& error) {
    if (error) return;
    self->armed_for_ = no_deadline;
    // The deadline may have moved on since: a timer that is set anew for each step costs more than one that looks
    // again.
    if (self->deadline_ == no_deadline) return;
    if (std::chrono::steady_clock::now() < self->deadline_)
      self->arm_timer();
    else
      self->on_deadline();
  });
}

void Connection::on_deadline() {
  clear_deadline();
  if (answering_ && !reading_streamed_) {
    watch_disconnect();
    return;
  }
  timed_out_ = true;
  error_code ignored;
  stream_.socket().cancel(ignored);
}

void Connection::watch_disconnect() {
  watching_disconnect_ = true;
  auto woken = [self = shared_from_this(), exchange = answering_](const error_code& error) {
    if (error || self->answering_ != exchange) return;
    // Anything else is the next request, and waits for its turn.
    if (peer_has_closed(self->stream_.socket())) exchange->request.disconnect.signal();
  };
  stream_.socket().async_wait(asio::ip::tcp::socket::wait_read, std::move(woken));
}

}  // namespace causeway::http
