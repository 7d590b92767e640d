#include "homeserver/outbound/pool.hpp"
#include "schema/log.hpp"

namespace causeway::outbound {

namespace {

using Steady = std::chrono::steady_clock;

constexpr std::size_t max_addresses_tried = 4;
constexpr std::chrono::seconds connect_timeout{10};  // per address
constexpr std::chrono::seconds sweep_interval{10};

}  // namespace

Task<Result<std::unique_ptr<Connection>>> Connector::connect(Target target, Deadline deadline) {
  auto addresses = co_await dns_.addresses(target.host);
  if (!addresses) co_return addresses.error();
  std::erase_if(*addresses, [this](const auto& address) { return !policy_.allows(address); });
  if (addresses->size() > max_addresses_tried) addresses->resize(max_addresses_tried);
  auto last = make_error(ErrorCode::forbidden, 502,
                         "The address of " + target.host_header + " is not one this server may connect to.");
  for (const auto& address : *addresses) {
    const auto until = std::min(deadline, Steady::now() + connect_timeout);
    auto connection = co_await Connection::connect(tls_, target, address, until);
    if (connection) co_return std::move(connection);
    last = connection.error();
    if (Steady::now() >= deadline) break;
  }
  co_return last;
}

struct Pool::Impl : std::enable_shared_from_this<Impl> {
  using ConnectionPtr = std::unique_ptr<Connection>;
  struct Idle {
    ConnectionPtr connection;
    Steady::time_point since;
  };
  struct Kept {
    explicit Kept(std::size_t connections) : gate(connections) {}
    Gate gate;
    std::size_t users = 0;
    std::vector<Idle> idle;  // the most recently used last
  };
  // Keeps the pool in the map while somebody uses it.
  class Use {
   public:
    explicit Use(std::shared_ptr<Kept> pool) : pool_(std::move(pool)) { ++pool_->users; }
    Use(const Use&) = delete;
    ~Use() { --pool_->users; }
    Kept& operator*() const { return *pool_; }
    Kept* operator->() const { return pool_.get(); }

   private:
    std::shared_ptr<Kept> pool_;
  };

  Impl(asio::any_io_executor on, Connector& c, PoolLimits l)
      : reactor(std::move(on)), connector(c), limits(l), sweep_timer(reactor) {}

  std::shared_ptr<Kept> pool_of(const std::string& to) {
    auto& pool = pools[to];
    if (!pool) pool = std::make_shared<Kept>(limits.connections_each);
    return pool;
  }

  ConnectionPtr take_idle(Kept& pool) {
    if (pool.idle.empty()) return nullptr;
    auto connection = std::move(pool.idle.back().connection);
    pool.idle.pop_back();
    --idle_count;
    return connection;
  }

  void give_back(Kept& pool, ConnectionPtr connection) {
    if (closed || !connection->reusable() || idle_count >= limits.idle_connections) return;
    pool.idle.push_back({std::move(connection), Steady::now()});
    ++idle_count;
  }

  Task<Result<ConnectionPtr>> open(std::string to, Resolve resolve, Deadline deadline) {
    auto targets = co_await resolve();
    auto last = make_error(ErrorCode::unknown, 504, to + " could not be reached in time.");
    for (auto& target : targets) {
      if (Steady::now() >= deadline) break;
      auto connection = co_await connector.connect(target, deadline);
      if (connection) co_return std::move(connection);
      last = connection.error();
    }
    co_return last;
  }

  Task<Result<Response>> request(std::string to, Resolve resolve, Request outbound) {
    const auto deadline = Steady::now() + outbound.timeout;
    Use pool(pool_of(to));
    if (pool->gate.waiting() >= limits.waiting_each)
      co_return make_error(ErrorCode::limit_exceeded, 503, "Too many requests are waiting for " + to + ".");
    auto place = co_await pool->gate.enter();

    if (auto kept = take_idle(*pool)) {
      auto outcome = co_await kept->exchange(outbound, deadline);
      if (outcome) {
        give_back(*pool, std::move(kept));
        co_return std::move(*outcome);
      }
      if (!outcome.error().closed_before_reply) co_return no_reply(to, outcome.error().reason);
    }
    auto fresh = co_await open(to, std::move(resolve), deadline);
    if (!fresh) co_return fresh.error();
    auto outcome = co_await (*fresh)->exchange(std::move(outbound), deadline);
    if (!outcome) co_return no_reply(to, outcome.error().reason);
    give_back(*pool, std::move(*fresh));
    co_return std::move(*outcome);
  }

  static MatrixError no_reply(const std::string& to, const std::string& reason) {
    return make_error(ErrorCode::unknown, 504, "No reply from " + to + ": " + reason);
  }

  // Closes what has been idle for too long, and forgets whom nobody talks to.
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
  Connector& connector;
  const PoolLimits limits;
  std::unordered_map<std::string, std::shared_ptr<Kept>> pools;
  std::size_t idle_count = 0;
  bool closed = false;
  asio::steady_timer sweep_timer;
};

Pool::Pool(asio::any_io_executor reactor, Connector& connector, PoolLimits limits)
    : impl_(std::make_shared<Impl>(reactor, connector, limits)) {
  spawn(reactor, Impl::sweep_repeatedly(impl_), asio::detached);
}

Pool::~Pool() {
  close();
}

Task<Result<Response>> Pool::request(std::string to, Resolve resolve, Request request) {
  return impl_->request(std::move(to), std::move(resolve), std::move(request));
}

void Pool::close() {
  impl_->closed = true;
  impl_->sweep_timer.cancel();
  for (auto& [server, pool] : impl_->pools)
    pool->idle.clear();
  impl_->idle_count = 0;
}

}  // namespace causeway::outbound
