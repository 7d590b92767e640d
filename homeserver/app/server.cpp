#include "homeserver/app/server.hpp"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <iostream>
#include <thread>

#include "client-api/client_api.hpp"
#include "client-api/session_tokens.hpp"
#include "federation/federation.hpp"
#include "homeserver/app/data_directory.hpp"
#include "homeserver/app/embedded_postgres.hpp"
#include "homeserver/app/operations.hpp"
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
constexpr std::size_t max_message_bytes = 16u << 20;

http::AdmissionSettings admission_settings(const Config& config) {
  using http::WorkClass;
  auto settings = http::usual_admission(std::max(1u, std::thread::hardware_concurrency()),
                                        static_cast<std::size_t>(config.database_connections));
  for (const auto& [work, places] :
       {std::pair{WorkClass::read, config.read_places}, std::pair{WorkClass::heavy, config.heavy_places},
        std::pair{WorkClass::write, config.write_places}, std::pair{WorkClass::remote, config.remote_places},
        std::pair{WorkClass::login, config.login_places}, std::pair{WorkClass::federation, config.federation_places},
        std::pair{WorkClass::heavy_federation, config.heavy_federation_places}})
    if (places > 0) settings[work] = static_cast<std::size_t>(places);
  settings.patience = std::chrono::milliseconds(config.place_wait_ms);
  settings.short_patience = settings.patience / 10;
  return settings;
}

// As many as are configured, if the process may have so many files open: some are for other servers and the database.
std::size_t max_connections(const Config& config) {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  const rlim_t left = limit.rlim_cur - std::min<rlim_t>(files_besides_clients, limit.rlim_cur / 4);
  return std::min(static_cast<std::size_t>(config.max_connections), static_cast<std::size_t>(left));
}

http::ServerSettings http_settings(const Config& config, const PrivateFiles& files) {
  http::ServerSettings settings;
  if (config.http_port != 0)
    settings.listeners.push_back({config.http_address, static_cast<std::uint16_t>(config.http_port), false, "", ""});
  if (config.tls_port != 0)
    settings.listeners.push_back(
        {config.http_address, static_cast<std::uint16_t>(config.tls_port), true, files.tls_certificate, files.tls_key});
  settings.max_connections = max_connections(config);
  settings.trusted_proxies = config.trusted_proxies;
  settings.rate_limits_enabled = config.rate_limits_enabled;
  settings.rate_limits = config.rate_limits;
  settings.admission = admission_settings(config);
  settings.max_unsent_bytes = static_cast<std::size_t>(config.max_unsent_mb) << 20;
  return settings;
}

AccountSettings account_settings(const Config& config, const PrivateFiles& files) {
  AccountSettings settings;
  settings.server_name = ServerName::trusted(config.server_name);
  settings.open_registration = config.open_registration;
  settings.token_registration = config.token_registration;
  settings.dummy_without_session = config.dummy_without_session;
  settings.registration_shared_secret = files.shared_secret;
  settings.min_password_length = static_cast<std::size_t>(config.min_password_length);
  settings.max_user_data_bytes = static_cast<std::size_t>(config.max_account_data_mb) << 20;
  if (config.password_cost == "cheapest") settings.password_cost = crypto::PasswordCost::cheapest();
  return settings;
}

federation::Settings federation_settings(const Config& config, const PrivateFiles& files) {
  federation::Settings settings;
  settings.extra_ca_pem = files.federation_ca;
  settings.allowed_ranges = config.federation_allowed_ranges;
  settings.allow_all_addresses = config.federation_allow_all_addresses;
  for (const auto& name : config.trusted_key_servers)
    settings.trusted_key_servers.push_back(ServerName::parse(name).value());
  settings.first_retry = std::chrono::milliseconds(config.federation_first_retry_ms);
  settings.max_retry = std::chrono::milliseconds(config.federation_max_retry_ms);
  return settings;
}

client_api::Settings client_api_settings(const Config& config) {
  client_api::Settings settings;
  settings.server_name = ServerName::trusted(config.server_name);
  settings.public_baseurl = config.public_baseurl;
  settings.federation_address = config.federation_address;
  settings.anyone_may_publish = config.anyone_may_publish;
  settings.default_room_version = config.default_room_version;
  return settings;
}

db::Settings database_settings(const Config& config, const std::string& url) {
  db::Settings settings;
  settings.url = url;
  settings.connections = static_cast<unsigned>(config.database_connections);
  settings.wait_when_down = std::chrono::milliseconds(config.database_wait_ms);
  return settings;
}

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

// Members are built from top to bottom and destroyed from bottom to top: what stands below uses what stands above.
struct ObjectGraph {
  ObjectGraph(const Config& config, const PrivateFiles& files, const std::string& database_url)
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
              metrics, static_cast<std::size_t>(config.max_sync_mb) << 20}),
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

std::string url_of(const Config& config) {
  const bool everywhere = config.http_address == "0.0.0.0" || config.http_address == "::";
  std::string host = everywhere || config.http_address == "127.0.0.1" ? "localhost" : config.http_address;
  if (host.find(':') != std::string::npos) host = "[" + host + "]";
  return config.http_port != 0 ? "http://" + host + ":" + std::to_string(config.http_port)
                               : "https://" + host + ":" + std::to_string(config.tls_port);
}

// Listens only once it can answer, and says so: one line with the URL on standard output.
Task<> serve(ObjectGraph& graph, const Config& config) {
  co_await graph.federation.start();
  graph.server.listen();
  log::info("{} answers at {}", config.server_name, url_of(config));
  std::cout << url_of(config) << std::endl;
}

// Answers come first, then what they set in motion, then the writer that all of it ends in.
Task<> shut_down(ObjectGraph& graph) {
  log::info("shutting down");
  graph.notifier.drain();
  co_await graph.server.drain(drain_grace);
  co_await graph.federation.drain();
  co_await graph.rooms.drain();
  co_await graph.writer.drain();
  graph.reactor.stop();
}

// What is done now and then as long as the server runs; what fails is tried again at the next turn.
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

void start_cleaning(ObjectGraph& graph, const Config& config) {
  auto purge = [&graph, retention = std::chrono::seconds(config.purge_forgotten_after_s)]() -> Task<> {
    co_await graph.rooms.purge_forgotten_rooms(retention);
  };
  auto forget = [&graph] { return graph.rooms.delete_old_transactions(transaction_retention); };
  spawn(graph.reactor, repeat("deleting forgotten rooms", between_purges, std::move(purge)), rethrow);
  spawn(graph.reactor, repeat("deleting old transaction identifiers", 1h, std::move(forget)), rethrow);
}

void use_new_files(ObjectGraph& graph, const Config& config, const PrivateFiles& files) {
  try {
    graph.server.reload_certificates(http_settings(config, files).listeners);
    log::info("certificates read again");
  } catch (const std::exception& error) {
    log::error("the certificates in use stay: {}", error.what());
  }
}

Task<> follow_parent(ObjectGraph& graph, const Config& config, int socket) {
  asio::local::stream_protocol::socket parent(graph.reactor, asio::local::stream_protocol(), socket);
  for (;;) {
    std::uint32_t size = 0;
    co_await asio::async_read(parent, asio::buffer(&size, sizeof size), use_task);
    if (size > max_message_bytes) co_return;
    std::string message(size, '\0');
    co_await asio::async_read(parent, asio::buffer(message), use_task);
    use_new_files(graph, config, from_message(message));
  }
}

// Without a parent SIGHUP reaches the server itself.
Task<> follow_hangups(ObjectGraph& graph, const Config& config) {
  asio::signal_set hangups(graph.reactor, SIGHUP);
  for (;;) {
    co_await hangups.async_wait(use_task);
    try {
      use_new_files(graph, config, read_private_files(config));
    } catch (const ConfigError& error) {
      log::error("the files were not read again: {}", error.what());
    }
  }
}

void end_quietly(std::exception_ptr) {}  // the parent is gone or the reactor stops

int run_graph(const Config& config, const PrivateFiles& files, FileUpdates updates, const std::string& database_url) {
  ObjectGraph graph(config, files, database_url);
  asio::signal_set ends(graph.reactor, SIGTERM, SIGINT);
  ends.async_wait([&graph](const boost::system::error_code& error, int) {
    if (!error) spawn(graph.reactor, shut_down(graph), rethrow);
  });
  if (updates.socket >= 0)
    spawn(graph.reactor, follow_parent(graph, config, updates.socket), end_quietly);
  else
    spawn(graph.reactor, follow_hangups(graph, config), end_quietly);
  spawn(graph.reactor, serve(graph, config), rethrow);
  start_cleaning(graph, config);
  graph.reactor.run();
  return graph.exit_status;
}

}  // namespace

int run_server(const Config& config, PrivateFiles files, FileUpdates updates) {
  crypto::initialise();
  check_data_directory(config.data_directory);
  const DataDirectoryLock lock(config.data_directory);
  if (!config.database_url.empty()) return run_graph(config, files, updates, config.database_url);
  EmbeddedPostgres postgres(config.data_directory);
  postgres.start();
  return run_graph(config, files, updates, postgres.url());
}

}  // namespace causeway
