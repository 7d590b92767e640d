#include "homeserver/outbound/dns.hpp"

#include <ares.h>
#include <arpa/nameser.h>
#include <netdb.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <atomic>
#include <boost/asio/ip/address_v4.hpp>
#include <boost/asio/ip/address_v6.hpp>
#include <cstring>
#include <functional>
#include <mutex>
#include <random>
#include <stdexcept>
#include <thread>

namespace causeway::outbound {

namespace {

using Addresses = std::vector<asio::ip::address>;
using Records = std::vector<SrvRecord>;

constexpr int query_timeout_ms = 3000;
constexpr int query_tries = 2;
constexpr std::size_t max_open_queries = 2048;

MatrixError dns_error(int status) {
  return make_error(ErrorCode::unknown, 502,
                    std::string("The server's name does not resolve: ") + ares_strerror(status));
}

bool means_absent(int status) {
  return status == ARES_ENOTFOUND || status == ARES_ENODATA || status == ARES_EBADNAME;
}

Result<Records> read_srv(int status, const unsigned char* reply, int size) {
  if (means_absent(status)) return Records{};
  if (status != ARES_SUCCESS) return dns_error(status);
  ares_srv_reply* first = nullptr;
  const int parsed = ares_parse_srv_reply(reply, size, &first);
  if (means_absent(parsed)) return Records{};
  if (parsed != ARES_SUCCESS) return dns_error(parsed);
  Records records;
  for (auto* at = first; at; at = at->next)
    records.push_back({at->priority, at->weight, at->port, at->host});
  ares_free_data(first);
  return records;
}

Result<Addresses> read_addresses(int status, ares_addrinfo* found) {
  Addresses addresses;
  for (auto* at = found ? found->nodes : nullptr; at; at = at->ai_next) {
    if (at->ai_family == AF_INET) {
      asio::ip::address_v4::bytes_type bytes;
      std::memcpy(bytes.data(), &reinterpret_cast<sockaddr_in*>(at->ai_addr)->sin_addr, bytes.size());
      addresses.emplace_back(asio::ip::address_v4(bytes));
    } else if (at->ai_family == AF_INET6) {
      asio::ip::address_v6::bytes_type bytes;
      std::memcpy(bytes.data(), &reinterpret_cast<sockaddr_in6*>(at->ai_addr)->sin6_addr, bytes.size());
      addresses.emplace_back(asio::ip::address_v6(bytes));
    }
  }
  if (found) ares_freeaddrinfo(found);
  if (addresses.empty()) return dns_error(status == ARES_SUCCESS ? ARES_ENODATA : status);
  return addresses;
}

}  // namespace

// Owns the channel, which only its thread touches. Work is handed over under a mutex and announced by an eventfd.
class CaresDns::Worker {
 public:
  using Start = std::function<void(ares_channel)>;

  Worker() : wake_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
    static const int initialised = ares_library_init(ARES_LIB_INIT_ALL);
    ares_options options{};
    options.timeout = query_timeout_ms;
    options.tries = query_tries;
    if (wake_ < 0 || initialised != ARES_SUCCESS ||
        ares_init_options(&channel_, &options, ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES) != ARES_SUCCESS)
      throw std::runtime_error("c-ares cannot be initialised");
    thread_ = std::thread([this] { run(); });
  }

  ~Worker() {
    stopping_ = true;
    announce();
    thread_.join();
    ares_destroy(channel_);
    ::close(wake_);
  }

  // False when too many queries are open already.
  bool submit(Start start) {
    {
      std::lock_guard lock(mutex_);
      if (open_ >= max_open_queries) return false;
      ++open_;
      starts_.push_back(std::move(start));
    }
    announce();
    return true;
  }

  void ended() {
    std::lock_guard lock(mutex_);
    --open_;
  }

 private:
  void announce() {
    const std::uint64_t one = 1;
    [[maybe_unused]] const auto written = ::write(wake_, &one, sizeof one);
  }

  void run() {
    while (!stopping_) {
      std::vector<Start> starts;
      {
        std::lock_guard lock(mutex_);
        starts.swap(starts_);
      }
      for (auto& start : starts)
        start(channel_);
      wait_and_process();
    }
  }

  void wait_and_process() {
    ares_socket_t sockets[ARES_GETSOCK_MAXNUM];
    const auto wanted = static_cast<unsigned>(ares_getsock(channel_, sockets, ARES_GETSOCK_MAXNUM));
    std::vector<pollfd> polled = {{wake_, POLLIN, 0}};
    for (int i = 0; i < ARES_GETSOCK_MAXNUM; ++i) {
      short events = 0;
      if (ARES_GETSOCK_READABLE(wanted, static_cast<unsigned>(i))) events |= POLLIN;
      if (ARES_GETSOCK_WRITABLE(wanted, static_cast<unsigned>(i))) events |= POLLOUT;
      if (events) polled.push_back({sockets[i], events, 0});
    }
    timeval at_most{60, 0}, buffer{};
    const timeval* timeout = ares_timeout(channel_, &at_most, &buffer);
    ::poll(polled.data(), polled.size(), static_cast<int>(timeout->tv_sec * 1000 + timeout->tv_usec / 1000 + 1));
    std::uint64_t count;
    [[maybe_unused]] const auto read = ::read(wake_, &count, sizeof count);
    for (std::size_t i = 1; i < polled.size(); ++i) {
      const auto ready = polled[i].revents;
      ares_process_fd(channel_, ready & (POLLIN | POLLERR | POLLHUP) ? polled[i].fd : ARES_SOCKET_BAD,
                      ready & POLLOUT ? polled[i].fd : ARES_SOCKET_BAD);
    }
    ares_process_fd(channel_, ARES_SOCKET_BAD, ARES_SOCKET_BAD);  // timeouts
  }

  ares_channel channel_ = nullptr;
  int wake_;
  std::atomic<bool> stopping_{false};
  std::mutex mutex_;
  std::vector<Start> starts_;
  std::size_t open_ = 0;
  std::thread thread_;
};

namespace {

// One query: filled in on the c-ares thread, resumed on the caller's executor.
template <class T>
struct Query {
  explicit Query(std::string n) : name(std::move(n)) {}
  std::string name;
  std::optional<Result<T>> result;
  std::function<void()> resume;

  // Taken out first: it holds the caller's frame, which holds this.
  void finish(Result<T> with) {
    result = std::move(with);
    auto to_resume = std::move(resume);
    to_resume();
  }
};

// Hands `start` to the worker and resumes with what its query found.
template <class T, class Worker, class Start>
Task<Result<T>> ask(Worker& worker, std::shared_ptr<Query<T>> query, Start start) {
  auto begin = [&worker, query, start](async::Resumption caller) {
    query->resume = [caller] { caller.post(); };
    if (!worker.submit([query, start](ares_channel channel) { start(channel, query); }))
      query->finish(make_error(ErrorCode::limit_exceeded, "Too many names are being resolved."));
  };
  co_await suspend(std::move(begin));
  co_return std::move(*query->result);
}

// What a c-ares callback gets as its argument.
template <class T, class Worker>
struct Pending {
  Worker& worker;
  std::shared_ptr<Query<T>> query;

  static void settle(void* argument, Result<T> result) {
    std::unique_ptr<Pending> self(static_cast<Pending*>(argument));
    self->worker.ended();
    self->query->finish(std::move(result));
  }
};

}  // namespace

CaresDns::CaresDns() : worker_(std::make_unique<Worker>()) {}
CaresDns::~CaresDns() = default;

Task<Result<Records>> CaresDns::srv(std::string name) {
  using Waiting = Pending<Records, Worker>;
  auto query = std::make_shared<Query<Records>>(std::move(name));
  auto start = [worker = worker_.get()](ares_channel channel, std::shared_ptr<Query<Records>> of) {
    const std::string text = of->name;
    ares_query(
        channel, text.c_str(), ns_c_in, ns_t_srv,
        [](void* argument, int status, int, unsigned char* reply, int size) {
          Waiting::settle(argument, read_srv(status, reply, size));
        },
        new Waiting{*worker, std::move(of)});
  };
  co_return co_await ask<Records>(*worker_, std::move(query), std::move(start));
}

Task<Result<Addresses>> CaresDns::addresses(std::string host) {
  // RFC 6761: these never go to a name server.
  if (host == "localhost" || host.ends_with(".localhost"))
    co_return Addresses{asio::ip::address_v4::loopback(), asio::ip::address_v6::loopback()};
  using Waiting = Pending<Addresses, Worker>;
  auto query = std::make_shared<Query<Addresses>>(std::move(host));
  auto start = [worker = worker_.get()](ares_channel channel, std::shared_ptr<Query<Addresses>> of) {
    const std::string text = of->name;
    ares_addrinfo_hints hints{};
    hints.ai_family = AF_UNSPEC;
    hints.ai_socktype = SOCK_STREAM;
    ares_getaddrinfo(
        channel, text.c_str(), nullptr, &hints,
        [](void* argument, int status, int, ares_addrinfo* found) {
          Waiting::settle(argument, read_addresses(status, found));
        },
        new Waiting{*worker, std::move(of)});
  };
  co_return co_await ask<Addresses>(*worker_, std::move(query), std::move(start));
}

Records in_order(Records records) {
  std::stable_sort(records.begin(), records.end(),
                   [](const auto& a, const auto& b) { return a.priority < b.priority; });
  static thread_local std::mt19937 random{std::random_device{}()};
  for (auto from = records.begin(); from != records.end(); ++from) {
    const auto end = std::find_if(from, records.end(), [&](const auto& r) { return r.priority != from->priority; });
    std::vector<double> weights;
    for (auto at = from; at != end; ++at)
      weights.push_back(at->weight + 0.01);
    std::discrete_distribution<std::ptrdiff_t> pick(weights.begin(), weights.end());
    std::iter_swap(from, from + pick(random));
  }
  return records;
}

}  // namespace causeway::outbound
