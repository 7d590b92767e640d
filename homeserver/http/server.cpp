#include "homeserver/http/server.hpp"

#include <boost/asio/ip/v6_only.hpp>
#include <csignal>
#include <stdexcept>

#include "homeserver/http/connection.hpp"
#include "homeserver/http/tls.hpp"
#include "schema/log.hpp"

namespace causeway::http {
namespace {

using asio::ip::tcp;
using boost::system::error_code;
using namespace std::chrono_literals;

// How long accepting pauses when the process is out of file descriptors.
constexpr auto accept_pause = 100ms;

}  // namespace

struct Server::Impl : std::enable_shared_from_this<Server::Impl> {
  struct Listener {
    tcp::acceptor acceptor;
    ClientStream::TlsContext tls;  // nullptr: plain
  };

  Impl(asio::any_io_executor e, std::shared_ptr<ServerCore> c) : executor(std::move(e)), core(std::move(c)) {}

  std::uint16_t open(const ListenerSettings& settings);
  Task<> accept(std::shared_ptr<Listener> listener);
  void admit(tcp::socket socket, const ClientStream::TlsContext& tls);
  void turn_away(tcp::socket socket, bool tls);
  void stop_accepting();

  asio::any_io_executor executor;
  std::shared_ptr<ServerCore> core;
  std::vector<std::shared_ptr<Listener>> listeners;
};

std::uint16_t Server::Impl::open(const ListenerSettings& settings) {
  try {
    const tcp::endpoint endpoint(asio::ip::make_address(settings.address), settings.port);
    auto listener = std::make_shared<Listener>(Listener{tcp::acceptor(executor), nullptr});
    if (settings.tls) listener->tls = make_tls_context(settings.certificate_pem, settings.key_pem);
    listener->acceptor.open(endpoint.protocol());
    listener->acceptor.set_option(tcp::acceptor::reuse_address(true));
    if (endpoint.address().is_v6()) listener->acceptor.set_option(asio::ip::v6_only(false));
    listener->acceptor.bind(endpoint);
    listener->acceptor.listen(tcp::acceptor::max_listen_connections);
    listeners.push_back(listener);
    return listener->acceptor.local_endpoint().port();
  } catch (const std::exception& error) {
    throw std::runtime_error("cannot listen on " + settings.address + " port " + std::to_string(settings.port) + ": " +
                             error.what());
  }
}

Task<> Server::Impl::accept(std::shared_ptr<Listener> listener) {
  const auto self = shared_from_this();
  asio::steady_timer pause(executor);
  while (listener->acceptor.is_open()) {
    error_code error;
    auto socket = co_await listener->acceptor.async_accept(into(error));
    if (!error) {
      admit(std::move(socket), listener->tls);
    } else if (error != asio::error::operation_aborted && error != asio::error::connection_aborted) {
      // Mostly for want of file descriptors: those that wait for nothing give theirs up.
      log::warn("accepting a connection failed: {}", error.message());
      if (core->connections.close_oldest_idle()) continue;
      pause.expires_after(accept_pause);
      co_await pause.async_wait(into(error));
    }
  }
}

namespace {

Task<> run_connection(std::shared_ptr<Connection> connection) {
  co_await connection->run();
}

}  // namespace

void Server::Impl::admit(tcp::socket socket, const ClientStream::TlsContext& tls) {
  auto& connections = core->connections;
  if (connections.size() >= core->settings.max_connections && !connections.close_oldest_idle()) {
    turn_away(std::move(socket), tls != nullptr);
    return;
  }
  auto connection = std::make_shared<Connection>(core, std::move(socket), tls);
  connections.add(*connection);
  spawn(executor, run_connection(std::move(connection)), asio::detached);
}

// Without waiting for anything: there is no room for this connection.
void Server::Impl::turn_away(tcp::socket socket, bool tls) {
  auto error = make_error(ErrorCode::unknown, 503, "The server has too many connections.");
  error.extra["retry_after_ms"] = 5000;
  const auto response = core->pipeline.refuse(error);
  if (tls) return;
  ReplyFraming framing;
  framing.keep_alive = false;
  const auto reply = reply_head(response, framing, std::chrono::system_clock::now()) + response.body;
  error_code ignored;
  socket.non_blocking(true, ignored);
  socket.write_some(asio::buffer(reply), ignored);
  socket.shutdown(tcp::socket::shutdown_send, ignored);
}

void Server::Impl::stop_accepting() {
  error_code ignored;
  for (const auto& listener : listeners)
    listener->acceptor.close(ignored);
}

Server::Server(asio::any_io_executor executor, ServerSettings settings, const Router& router,
               AccessTokenAuthenticators users, FederationAuthenticator& servers, CpuPool& cpu, const Clock& clock,
               Metrics& metrics)
    : impl_(std::make_shared<Impl>(
          executor, std::make_shared<ServerCore>(executor, std::move(settings), router, std::move(users), servers, cpu,
                                                 clock, metrics))) {}

Server::~Server() {
  impl_->core->draining = true;
  impl_->stop_accepting();
  impl_->core->connections.close_all();
  impl_->core->pipeline.close();
}

std::vector<std::uint16_t> Server::listen() {
  std::signal(SIGPIPE, SIG_IGN);  // OpenSSL writes to sockets whose peer has gone
  impl_->core->pipeline.start_counters();
  std::vector<std::uint16_t> ports;
  for (const auto& settings : impl_->core->settings.listeners)
    ports.push_back(impl_->open(settings));
  for (const auto& listener : impl_->listeners)
    spawn(impl_->executor, impl_->accept(listener), asio::detached);
  return ports;
}

void Server::reload_certificates(const std::vector<ListenerSettings>& listeners) {
  if (listeners.size() != impl_->listeners.size())
    throw std::runtime_error("listeners cannot be added or removed while running");
  std::vector<ClientStream::TlsContext> contexts;
  for (const auto& settings : listeners)
    contexts.push_back(settings.tls ? make_tls_context(settings.certificate_pem, settings.key_pem) : nullptr);
  for (std::size_t i = 0; i < contexts.size(); ++i)
    if (impl_->listeners[i]->tls && contexts[i]) impl_->listeners[i]->tls = contexts[i];
}

Task<> Server::drain(std::chrono::milliseconds grace) {
  const auto impl = impl_;
  auto& connections = impl->core->connections;
  impl->core->draining = true;
  impl->stop_accepting();
  connections.close_all_idle();
  if (connections.size() > 0) {
    asio::steady_timer empty(impl->executor, grace);
    connections.when_empty([&empty] { empty.cancel(); });
    co_await expiry(empty);
    connections.when_empty(nullptr);
  }
  connections.close_all();
}

std::size_t Server::open_connections() const {
  return impl_->core->connections.size();
}

}  // namespace causeway::http
