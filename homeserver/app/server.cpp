#include "homeserver/app/server.hpp"

#include <signal.h>

#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/signal_set.hpp>
#include <iostream>

#include "homeserver/app/data_directory.hpp"
#include "homeserver/app/embedded_postgres.hpp"
#include "homeserver/app/object_graph.hpp"
#include "schema/crypto/crypto.hpp"
#include "schema/log.hpp"

namespace causeway {

namespace {

constexpr std::size_t max_message_bytes = 16u << 20;

std::string url_of(const Config& config) {
  const bool everywhere = config.http_address == "0.0.0.0" || config.http_address == "::";
  std::string host = everywhere || config.http_address == "127.0.0.1" ? "localhost" : config.http_address;
  if (host.find(':') != std::string::npos) host = "[" + host + "]";
  return config.http_port != 0 ? "http://" + host + ":" + std::to_string(config.http_port)
                               : "https://" + host + ":" + std::to_string(config.tls_port);
}

// Says where the server answers, once it does: one line with the URL on standard output.
Task<> serve(ObjectGraph& graph, const Config& config) {
  co_await graph.start();
  log::info("{} answers at {}", config.server_name, url_of(config));
  std::cout << url_of(config) << std::endl;
}

Task<> shut_down(ObjectGraph& graph) {
  log::info("shutting down");
  co_await graph.drain();
  graph.reactor().stop();
}

void rethrow(std::exception_ptr error) {
  if (error) std::rethrow_exception(error);
}

void use_new_files(ObjectGraph& graph, const PrivateFiles& files) {
  try {
    graph.reload_certificates(files);
    log::info("certificates read again");
  } catch (const std::exception& error) {
    log::error("the certificates in use stay: {}", error.what());
  }
}

Task<> follow_parent(ObjectGraph& graph, int socket) {
  asio::local::stream_protocol::socket parent(graph.reactor(), asio::local::stream_protocol(), socket);
  for (;;) {
    std::uint32_t size = 0;
    co_await asio::async_read(parent, asio::buffer(&size, sizeof size), use_task);
    if (size > max_message_bytes) co_return;
    std::string message(size, '\0');
    co_await asio::async_read(parent, asio::buffer(message), use_task);
    use_new_files(graph, from_message(message));
  }
}

// Without a parent SIGHUP reaches the server itself.
Task<> follow_hangups(ObjectGraph& graph, const Config& config) {
  asio::signal_set hangups(graph.reactor(), SIGHUP);
  for (;;) {
    co_await hangups.async_wait(use_task);
    try {
      use_new_files(graph, read_private_files(config));
    } catch (const ConfigError& error) {
      log::error("the files were not read again: {}", error.what());
    }
  }
}

void end_quietly(std::exception_ptr) {}  // the parent is gone or the reactor stops

int run_graph(const Config& config, const PrivateFiles& files, FileUpdates updates, const std::string& database_url) {
  ObjectGraph graph(config, files, database_url);
  asio::signal_set ends(graph.reactor(), SIGTERM, SIGINT);
  ends.async_wait([&graph](const boost::system::error_code& error, int) {
    if (!error) spawn(graph.reactor(), shut_down(graph), rethrow);
  });
  if (updates.socket >= 0)
    spawn(graph.reactor(), follow_parent(graph, updates.socket), end_quietly);
  else
    spawn(graph.reactor(), follow_hangups(graph, config), end_quietly);
  spawn(graph.reactor(), serve(graph, config), rethrow);
  graph.start_cleaning();
  graph.reactor().run();
  return graph.exit_status();
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
