#include "conformance/bench/open_loop.hpp"

#include <netdb.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cmath>
#include <ctime>
#include <stdexcept>
#include <system_error>
#include <utility>

#include "conformance/bench/limits.hpp"
#include "conformance/bench/reply_reader.hpp"

namespace causeway::bench {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

namespace {

constexpr auto patience = 30s;       // for the last replies
constexpr auto time_to_open = 10s;   // all connections
constexpr auto much_too_late = 1s;   // a generator that is this far behind skips, so as not to go on for ever
constexpr std::size_t at_once = 32;  // requests sent, or connections begun, before replies are looked at again
constexpr std::size_t largest_read = 64 * 1024;

double milliseconds(Clock::duration duration) {
  return std::chrono::duration<double, std::milli>(duration).count();
}

Clock::duration as_duration(double seconds) {
  return std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
}

double thread_cpu_seconds() {
  timespec used{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
  return static_cast<double>(used.tv_sec) + static_cast<double>(used.tv_nsec) * 1e-9;
}

sockaddr_in resolve(const Target& target) {
  if (target.tls) throw std::runtime_error("the open loop speaks plain HTTP only");
  addrinfo hints{};
  hints.ai_family = AF_INET;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (const int error = getaddrinfo(target.host.c_str(), target.port.c_str(), &hints, &found); error != 0)
    throw std::runtime_error(target.host + ": " + gai_strerror(error));
  const auto address = *reinterpret_cast<const sockaddr_in*>(found->ai_addr);
  freeaddrinfo(found);
  return address;
}

void put_number(std::string& request, std::size_t at, std::uint64_t number) {
  for (std::size_t digit = number_width; digit-- > 0; number /= 10)
    request[at + digit] = static_cast<char>('0' + number % 10);
}

[[noreturn]] void fail(const char* what) {
  throw std::system_error(errno, std::generic_category(), what);
}

}  // namespace

struct OpenLoop::Connection {
  enum class State { closed, opening, idle, busy };
  State state = State::closed;
  int socket = -1;
  bool has_served = false;
  std::size_t asker = 0;
  std::size_t load = 0;  // in which the request that is under way was offered
  Moment intended;
  ReplyReader reply;
};

OpenLoop::OpenLoop(const Target& target, std::vector<Asker> askers, std::size_t connections_each)
    : askers_(std::move(askers)),
      connections_(askers_.size() * connections_each),
      idle_(askers_.size()),
      buffer_(largest_read),
      address_(resolve(target)),
      epoll_(epoll_create1(EPOLL_CLOEXEC)) {
  if (epoll_ < 0) fail("epoll_create1");
  for (std::size_t i = 0; i < connections_.size(); ++i)
    connections_[i].asker = i % askers_.size();
  for (auto& idle : idle_)
    idle.reserve(connections_each);
}

OpenLoop::~OpenLoop() {
  for (const auto& connection : connections_)
    if (connection.socket >= 0) close(connection.socket);
  close(epoll_);
}

std::vector<Outcome> OpenLoop::offer(const std::vector<Load>& loads, int server_pid) {
  outcomes_.clear();
  open_all();
  double server_cpu = cpu_seconds(server_pid);
  Moment begin = Clock::now();
  for (const Load& load : loads) {
    outcomes_.emplace_back();
    const double cpu = thread_cpu_seconds();
    const Moment end = begin + as_duration(load.seconds);
    if (load.per_second == as_fast_as_answered)
      offer_until(end);
    else
      offer_at_rate(load, begin, end);
    outcomes_.back().cpu_seconds = thread_cpu_seconds() - cpu;
    const double server_cpu_before = std::exchange(server_cpu, cpu_seconds(server_pid));
    outcomes_.back().server_cpu_seconds = server_cpu - server_cpu_before;
    begin = end;
  }
  drain();
  return std::move(outcomes_);
}

// --- arrivals --------------------------------------------------------------------------------------------------------

void OpenLoop::offer_at_rate(Load load, Moment begin, Moment end) {
  Outcome& outcome = outcomes_.back();
  const auto expected = static_cast<std::size_t>(load.per_second * load.seconds * 1.1) + 1000;
  for (auto* samples : {&outcome.admitted, &outcome.refused, &outcome.late})
    samples->reserve(expected);
  std::exponential_distribution<double> gap(load.per_second);
  Moment next = begin + as_duration(gap(random_));
  while (next < end || Clock::now() < end) {
    const Moment now = Clock::now();
    for (std::size_t sent = 0; sent < at_once && next <= now && next < end; ++sent) {
      arrive(next);
      next += as_duration(gap(random_));
    }
    take_replies(std::min(next, end));
  }
}

void OpenLoop::offer_until(Moment end) {
  while (Clock::now() < end) {
    for (auto& idle : idle_) {
      while (!idle.empty()) {
        Connection& connection = *idle.back();
        idle.pop_back();
        ++outcomes_.back().offered;
        send(connection, Clock::now());
      }
    }
    take_replies(end);
  }
}

void OpenLoop::arrive(Moment intended) {
  Outcome& outcome = outcomes_.back();
  ++outcome.offered;
  auto& idle = idle_[next_asker_];
  next_asker_ = (next_asker_ + 1) % askers_.size();
  const auto late = Clock::now() - intended;
  if (idle.empty() || late > much_too_late) {
    ++outcome.not_sent;
    return;
  }
  outcome.late.push_back(milliseconds(late));
  Connection& connection = *idle.back();
  idle.pop_back();
  send(connection, intended);
}

void OpenLoop::send(Connection& connection, Moment intended) {
  Asker& asker = askers_[connection.asker];
  if (asker.number_at != std::string::npos) put_number(asker.request, asker.number_at, next_number_++);
  connection.state = Connection::State::busy;
  connection.load = outcomes_.size() - 1;
  connection.intended = intended;
  connection.reply.start_anew();
  ++under_way_;
  const ssize_t sent = ::send(connection.socket, asker.request.data(), asker.request.size(), MSG_NOSIGNAL);
  // One request fits into an empty socket.
  if (sent != static_cast<ssize_t>(asker.request.size())) lose(connection, "not taken by the socket");
}

// --- replies ---------------------------------------------------------------------------------------------------------

void OpenLoop::take_replies(Moment until) {
  const auto wait = std::max(until - Clock::now(), Clock::duration::zero());
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(wait);
  const timespec timeout{seconds.count(), std::chrono::nanoseconds(wait - seconds).count()};
  std::array<epoll_event, 256> events;
  const int count = epoll_pwait2(epoll_, events.data(), events.size(), &timeout, nullptr);
  if (count < 0 && errno != EINTR) fail("epoll_pwait2");
  for (int i = 0; i < count; ++i)
    on_event(*static_cast<Connection*>(events[i].data.ptr), events[i].events);
}

void OpenLoop::on_event(Connection& connection, std::uint32_t events) {
  if (connection.state == Connection::State::opening) {
    --opening_;
    if (events & (EPOLLERR | EPOLLHUP)) return lose(connection, "not connected");
    connection.state = Connection::State::idle;
    idle_[connection.asker].push_back(&connection);
  }
  constexpr std::uint32_t end = EPOLLRDHUP | EPOLLERR | EPOLLHUP;
  if (events & (EPOLLIN | end)) read(connection, events & end);
}

void OpenLoop::read(Connection& connection, bool to_the_end) {
  for (;;) {
    const ssize_t got = recv(connection.socket, buffer_.data(), buffer_.size(), 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (got <= 0) return lose(connection, "cut off");
    if (connection.state != Connection::State::busy) return lose(connection, "answered unasked");
    const auto progress = connection.reply.take({buffer_.data(), static_cast<std::size_t>(got)});
    if (progress == ReplyReader::Progress::broken) return lose(connection, "answered in no way known here");
    if (progress == ReplyReader::Progress::whole) finish(connection);
    if (static_cast<std::size_t>(got) < buffer_.size() && !to_the_end) return;
  }
}

void OpenLoop::finish(Connection& connection) {
  const double latency = milliseconds(Clock::now() - connection.intended);
  Outcome& outcome = outcomes_[connection.load];
  const int status = connection.reply.status();
  if (status == 200)
    outcome.admitted.push_back(latency);
  else if (status == 429 || status == 503)
    outcome.refused.push_back(latency);
  else
    ++outcome.failures["status " + std::to_string(status)];
  --under_way_;
  connection.has_served = true;
  connection.state = Connection::State::idle;
  idle_[connection.asker].push_back(&connection);
}

// --- connections -----------------------------------------------------------------------------------------------------

void OpenLoop::open_all() {
  const Moment deadline = Clock::now() + time_to_open;
  for (auto& connection : connections_) {
    if (connection.state != Connection::State::closed) continue;
    open(connection);
    while (opening_ >= at_once && Clock::now() < deadline)
      take_replies(deadline);
  }
  while (opening_ > 0 && Clock::now() < deadline)
    take_replies(deadline);
  if (std::ranges::all_of(idle_, &std::vector<Connection*>::empty))
    throw std::runtime_error("the server takes no connections");
}

void OpenLoop::open(Connection& connection) {
  connection.socket = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (connection.socket < 0) fail("socket");
  const int on = 1;
  setsockopt(connection.socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  connection.state = Connection::State::opening;
  connection.has_served = false;
  ++opening_;
  // Whether it succeeds is told by the first event.
  if (connect(connection.socket, reinterpret_cast<const sockaddr*>(&address_), sizeof address_) < 0 &&
      errno != EINPROGRESS)
    fail("connect");
  epoll_event event{};
  event.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
  event.data.ptr = &connection;
  if (epoll_ctl(epoll_, EPOLL_CTL_ADD, connection.socket, &event) < 0) fail("epoll_ctl");
}

// The connection has ended. One that had served is opened again at once, any other by the next offer(), so that a
// server that closes whatever is opened is not asked for more and more.
void OpenLoop::lose(Connection& connection, const char* how) {
  close(connection.socket);
  connection.socket = -1;
  if (connection.state == Connection::State::busy) {
    --under_way_;
    ++outcomes_[connection.load].failures[how];
  } else {
    std::erase(idle_[connection.asker], &connection);
    if (!outcomes_.empty()) ++outcomes_.back().hung_up;
  }
  connection.state = Connection::State::closed;
  if (connection.has_served) open(connection);
}

void OpenLoop::drain() {
  const Moment deadline = Clock::now() + patience;
  while (under_way_ > 0 && Clock::now() < deadline)
    take_replies(deadline);
  for (auto& connection : connections_)
    if (connection.state == Connection::State::busy) lose(connection, "never answered");
}

}  // namespace causeway::bench
