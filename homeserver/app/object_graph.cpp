#include "homeserver/app/object_graph.hpp"

#include <signal.h>

#include <boost/asio/steady_timer.hpp>
#include <thread>

#include "client-api/client_api.hpp"
#include "client-api/session_tokens.hpp"
#include "federation/federation.hpp"
#include "homeserver/app/operations.hpp"
#include "homeserver/app/settings.hpp"
#include "homeserver/sync/notifier.hpp"
#include "schema/db/migrations.hpp"
#include "schema/db/tables/account_data.hpp"
#include "schema/db/tables/server_identity.hpp"
#include "schema/log.hpp"

namespace causeway {

namespace {

using namespace std::chrono_literals;

constexpr auto drain_grace = 3s;
constexpr auto between_purges = 10min;
constexpr auto transaction_retention = 24h;  // a client that was away for longer does not know its request any more

std::uint32_t random_epoch() {
  std::array<unsigned char, 4> bytes;
  crypto::random_bytes(bytes);
  return std::uint32_t{bytes[0]} | std::uint32_t{bytes[1]} << 8 | std::uint32_t{bytes[2]} << 16 |
         std::uint32_t{bytes[3]} << 24;
}

LocalServer open_database(db::Database& database, const Config& config, const Clock& clock) {
  const auto name = ServerName::trusted(config.server_name);
  return database.run_blocking([&](db::Connection& c) {
    const auto report = db::migrate(c);
    if (report.before != report.after)
      log::info("the database went from version {} to {}", report.before, report.after);
    db::claim_server_name(c, name);
    db::bound_account_data(c, static_cast<std::size_t>(config.max_account_data_mb) << 20);
    return LocalServer{name, db::load_or_make_signing_key(c, clock.now_ms())};
  });
}

WriterSettings writer_settings(std::function<void()> on_fenced) {
  WriterSettings settings;
  settings.on_fenced = std::move(on_fenced);
  return settings;
}

// What fails is tried again at the next turn.
template <class Work>
Task<> repeat(std::string what, std::chrono::milliseconds pause, Work work) {
  auto executor = co_await asio::this_coro::executor;
  asio::steady_timer timer(executor);
  for (;;) {
    try {
      co_await work();
    } catch (const std::exception& error) {
      log::warn("{} failed for now: {}", what, error.what());
    }
    timer.expires_after(pause);
    co_await expiry(timer);
  }
}

void rethrow(std::exception_ptr error) {
  if (error) std::rethrow_exception(error);
}

}  // namespace

// Members are built from top to bottom and destroyed from bottom to top: what stands below uses what stands above.
struct ObjectGraph::Services {
  Services(const Config& config, const PrivateFiles& files, const std::string& database_url)
      : database(database_settings(config, database_url)),
        self(open_database(database, config, clock)),
        cpu(std::max(1u, std::thread::hardware_concurrency())),
        writer(reactor.get_executor(), database_url, writer_settings([this] { another_took_over(); }), hub, metrics),
        interner(database),
        events(database, hub.recent()),
        states(database),
        reader(database, hub, interner, events, states),
        rooms({database, writer, interner, events, states, reader, cpu, clock, metrics, self, account_data_lanes}),
        accounts(database, writer, hub, interner, cpu, clock, account_data_lanes, account_settings(config, files)),
        timelines(events, reader, accounts,
                  [this](RoomInfoPtr room, OrderKey before, std::size_t limit) {
                    return rooms.backfill(std::move(room), before, limit);
                  }),
        members(reader, events, states, interner),
        receipts({database, hub, writer, events, reader, interner, clock}),
        typing(reactor.get_executor(), clock, random_epoch()),
        notifier(reactor.get_executor()),
        serializer(hub, events, states, reader, clock),
        sync({database, hub, reader, events, states, interner, serializer, accounts, receipts, typing, notifier, clock,
              metrics, max_sync_bytes(config)}),
        federation({reactor.get_executor(), database, hub, interner, events, reader, rooms, accounts, receipts, typing,
                    cpu, clock, metrics, self},
                   federation_settings(config, files)),
        client_api{accounts,
                   rooms,
                   reader,
                   timelines,
                   members,
                   interner,
                   sync,
                   serializer,
                   receipts,
                   typing,
                   federation.remote(),
                   clock,
                   client_api_settings(config)},
        tokens(accounts),
        server(reactor.get_executor(), http_settings(config, files), router, {&tokens}, federation.authenticator(), cpu,
               clock, metrics) {
    hub.feed(events);
    rooms.set_remote(federation.remote());
    accounts.on_sessions_ended([this](UserNid user) { notifier.wake(user); });
    client_api::add_endpoints(router, client_api);
    federation.add_endpoints(router);
    add_operations_endpoints(router, database, metrics, config.metrics_from);
    hub.start_at(writer.take_over());
  }

  // Whatever this process would still answer from its caches is not the truth any more.
  void another_took_over() {
    log::critical("another process has taken over the database; this one ends");
    exit_status = 1;
    raise(SIGTERM);
  }

  int exit_status = 0;

  asio::io_context reactor{1};
  SystemClock clock;
  Metrics metrics;
  db::Database database;
  const LocalServer self;
  CpuPool cpu;
  StreamHub hub;
  EventWriter writer;
  Interner interner;
  UserLanes account_data_lanes{max_waiting_for_user};
  EventStore events;
  StateStore states;
  RoomReader reader;
  RoomService rooms;
  AccountService accounts;
  TimelineReader timelines;
  MemberReader members;
  ReceiptService receipts;
  TypingService typing;
  Notifier notifier;
  EventSerializer serializer;
  SyncService sync;
  federation::Federation federation;
  client_api::ClientApi client_api;
  http::Router router;
  client_api::SessionTokens tokens;
  http::Server server;
};

ObjectGraph::ObjectGraph(const Config& config, const PrivateFiles& files, const std::string& database_url)
    : config_(config), services_(std::make_unique<Services>(config, files, database_url)) {}
ObjectGraph::~ObjectGraph() = default;

Task<> ObjectGraph::start() {
  co_await services_->federation.start();
  services_->server.listen();
}

void ObjectGraph::start_cleaning() {
  RoomService& rooms = services_->rooms;
  auto purge = [&rooms, retention = std::chrono::seconds(config_.purge_forgotten_after_s)]() -> Task<> {
    co_await rooms.purge_forgotten_rooms(retention);
  };
  auto forget = [&rooms] { return rooms.delete_old_transactions(transaction_retention); };
  spawn(services_->reactor, repeat("deleting forgotten rooms", between_purges, std::move(purge)), rethrow);
  spawn(services_->reactor, repeat("deleting old transaction identifiers", 1h, std::move(forget)), rethrow);
}

// Answers come first, then what they set in motion, then the writer that all of it ends in.
Task<> ObjectGraph::drain() {
  services_->notifier.drain();
  co_await services_->server.drain(drain_grace);
  co_await services_->federation.drain();
  co_await services_->rooms.drain();
  co_await services_->writer.drain();
}

void ObjectGraph::reload_certificates(const PrivateFiles& files) {
  services_->server.reload_certificates(http_settings(config_, files).listeners);
}

asio::io_context& ObjectGraph::reactor() {
  return services_->reactor;
}

int ObjectGraph::exit_status() const {
  return services_->exit_status;
}

}  // namespace causeway
