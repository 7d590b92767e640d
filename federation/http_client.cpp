#include "federation/http_client.hpp"

#include <spdlog/spdlog.h>

namespace causeway::federation {

namespace {

using Steady = std::chrono::steady_clock;

constexpr std::size_t max_addresses_tried = 4;
constexpr std::chrono::seconds connect_timeout{10};  // per address
constexpr std::chrono::seconds sweep_interval{10};

}  // namespace

Task<Result<std::unique_ptr<HttpsConnection>>> Connector::connect(Target target, Deadline deadline) {
  auto addresses = co_await dns_.addresses(target.host);
  if (!addresses) co_return addresses.error();
  std::erase_if(*addresses, [this](const auto& address) { return !policy_.allows(address); });
  if (addresses->size() > max_addresses_tried) addresses->resize(max_addresses_tried);
  auto last = make_error(ErrorCode::forbidden, 502,
                         "The address of " + target.host_header + " is not one this server may connect to.");
  for (const auto& address : *addresses) {
    const auto until = std::min(deadline, Steady::now() + connect_timeout);
    auto connection = co_await HttpsConnection::connect(tls_, target, address, until);
    if (connection) co_return std::move(connection);
    last = connection.error();
    if (Steady::now() >= deadline) break;
  }
  co_return last;
}

struct HttpClient::Impl : std::enable_shared_from_this<Impl> {
  using ConnectionPtr = std::unique_ptr<HttpsConnection>;
  struct Idle {
    ConnectionPtr connection;
    Steady::time_point since;
  };
  struct Pool {
    explicit Pool(std::size_t connections) : gate(connections) {}
    Gate gate;
    std::size_t users = 0;
    std::vector<Idle> idle;  // the most recently used last
  };
  // Keeps the pool in the map while somebody uses it.
  class Use {
   public:
    explicit Use(std::shared_ptr<Pool> pool) : pool_(std::move(pool)) { ++pool_->users; }
    Use(const Use&) = delete;
    ~Use() { --pool_->users; }
    Pool& operator*() const { return *pool_; }
    Pool* operator->() const { return pool_.get(); }

   private:
    std::shared_ptr<Pool> pool_;
  };

  Impl(asio::any_io_executor on, Discovery& d, Connector& c, PoolLimits l)
      : reactor(std::move(on)), discovery(d), connector(c), limits(l), sweep_timer(reactor) {}

  std::shared_ptr<Pool> pool_of(const ServerName& server) {
    auto& pool = pools[server];
    if (!pool) pool = std::make_shared<Pool>(limits.connections_per_server);
    return pool;
  }

  ConnectionPtr take_idle(Pool& pool) {
    if (pool.idle.empty()) return nullptr;
    auto connection = std::move(pool.idle.back().connection);
    pool.idle.pop_back();
    --idle_count;
    return connection;
  }

  void give_back(Pool& pool, ConnectionPtr connection) {
    if (closed || !connection->reusable() || idle_count >= limits.idle_connections) return;
    pool.idle.push_back({std::move(connection), Steady::now()});
    ++idle_count;
  }

  Task<Result<ConnectionPtr>> open(ServerName server, Deadline deadline) {
    auto targets = co_await discovery.resolve(server);
    auto last = make_error(ErrorCode::unknown, 504, server.str() + " could not be reached in time.");
    for (auto& target : targets) {
      if (Steady::now() >= deadline) break;
      auto connection = co_await connector.connect(target, deadline);
      if (connection) co_return std::move(connection);
      last = connection.error();
    }
    co_return last;
  }

  Task<Result<OutboundResponse>> request(ServerName server, OutboundRequest outbound) {
    const auto deadline = Steady::now() + outbound.timeout;
    Use pool(pool_of(server));
    if (pool->gate.waiting() >= limits.waiting_per_server)
      co_return make_error(ErrorCode::limit_exceeded, 503, "Too many requests are waiting for " + server.str() + ".");
    auto place = co_await pool->gate.enter();

    if (auto kept = take_idle(*pool)) {
      auto outcome = co_await kept->exchange(outbound, deadline);
      if (outcome) {
        give_back(*pool, std::move(kept));
        co_return std::move(*outcome);
      }
      if (!outcome.error().closed_before_reply) co_return no_reply(server, outcome.error().reason);
    }
    auto fresh = co_await open(server, deadline);
    if (!fresh) co_return fresh.error();
    auto outcome = co_await (*fresh)->exchange(std::move(outbound), deadline);
    if (!outcome) co_return no_reply(server, outcome.error().reason);
    give_back(*pool, std::move(*fresh));
    co_return std::move(*outcome);
  }

  static MatrixError no_reply(const ServerName& server, const std::string& reason) {
    return make_error(ErrorCode::unknown, 504, "No reply from " + server.str() + ": " + reason);
  }

  // Closes what has been idle for too long, and forgets servers nobody talks to.
  void sweep() {
    const auto oldest = Steady::now() - limits.idle_timeout;
    for (auto& [server, pool] : pools)
      idle_count -= std::erase_if(pool->idle, [&](const Idle& idle) { return idle.since < oldest; });
    std::erase_if(pools, [](const auto& entry) { return entry.second->users == 0 && entry.second->idle.empty(); });
  }

  static Task<> sweep_repeatedly(std::shared_ptr<Impl> self) {
    while (!self->closed) {
      self->sweep_timer.expires_after(sweep_interval);
      co_await expiry(self->sweep_timer);
      self->sweep();
    }
  }

  asio::any_io_executor reactor;
  Discovery& discovery;
  Connector& connector;
  const PoolLimits limits;
  std::unordered_map<ServerName, std::shared_ptr<Pool>> pools;
  std::size_t idle_count = 0;
  bool closed = false;
  asio::steady_timer sweep_timer;
};

HttpClient::HttpClient(asio::any_io_executor reactor, Discovery& discovery, Connector& connector, PoolLimits limits)
    : impl_(std::make_shared<Impl>(reactor, discovery, connector, limits)) {
  spawn(reactor, Impl::sweep_repeatedly(impl_), asio::detached);
}

HttpClient::~HttpClient() {
  close();
}

Task<Result<OutboundResponse>> HttpClient::request(ServerName server, OutboundRequest request) {
  return impl_->request(std::move(server), std::move(request));
}

void HttpClient::close() {
  impl_->closed = true;
  impl_->sweep_timer.cancel();
  for (auto& [server, pool] : impl_->pools)
    pool->idle.clear();
  impl_->idle_count = 0;
}

}  // namespace causeway::federation
