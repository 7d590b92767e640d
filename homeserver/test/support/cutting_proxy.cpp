#include "homeserver/test/support/cutting_proxy.hpp"

#include <stdlib.h>

#include <atomic>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/write.hpp>
#include <filesystem>
#include <list>
#include <regex>
#include <stdexcept>
#include <thread>

namespace causeway::test {

namespace asio = boost::asio;
using Socket = asio::local::stream_protocol::socket;

namespace {

std::string make_directory() {
  std::string path = "/tmp/causeway-proxy.XXXXXX";
  if (!mkdtemp(path.data())) throw std::runtime_error("mkdtemp failed");
  return path;
}

void end(Socket& socket) {
  boost::system::error_code ignored;
  socket.shutdown(Socket::shutdown_both, ignored);
}

}  // namespace

struct CuttingProxy::Impl {
  struct Pair {
    explicit Pair(asio::io_context& io) : client(io), server(io) {}
    Socket client, server;
    std::thread up, down;
  };

  explicit Impl(const std::string& target) : directory(make_directory()), acceptor(io) {
    std::smatch host;
    if (!std::regex_search(target, host, std::regex("host=(\\S+)"))) throw std::runtime_error("no host in the URL");
    server_path = host[1].str() + "/.s.PGSQL.5432";
    url = std::regex_replace(target, std::regex("host=\\S+"), "host=" + directory);
    asio::local::stream_protocol::endpoint here(directory + "/.s.PGSQL.5432");
    acceptor.open();
    acceptor.bind(here);
    acceptor.listen();
    accepting = std::thread([this] { accept(); });
  }

  ~Impl() {
    stopping = true;
    boost::system::error_code ignored;
    Socket wake(io);
    wake.connect(asio::local::stream_protocol::endpoint(directory + "/.s.PGSQL.5432"), ignored);
    accepting.join();
    for (Pair& pair : pairs) {
      end(pair.client);
      end(pair.server);
      pair.up.join();
      pair.down.join();
    }
    std::filesystem::remove_all(directory);
  }

  void accept() {
    for (;;) {
      Pair& pair = pairs.emplace_back(io);
      boost::system::error_code failed;
      acceptor.accept(pair.client, failed);
      if (!failed && !stopping) pair.server.connect(asio::local::stream_protocol::endpoint(server_path), failed);
      if (failed || stopping) {
        pairs.pop_back();
        return;
      }
      pair.up = std::thread([this, &pair] { pump(pair.client, pair.server, false); });
      pair.down = std::thread([this, &pair] { pump(pair.server, pair.client, true); });
    }
  }

  void pump(Socket& from, Socket& to, bool replies) {
    std::array<char, 65'536> buffer;
    for (;;) {
      boost::system::error_code failed;
      const std::size_t got = from.read_some(asio::buffer(buffer), failed);
      if (!failed && replies && lose.exchange(false)) {
        ++lost;
        break;
      }
      if (!failed) asio::write(to, asio::buffer(buffer.data(), got), failed);
      if (failed) break;
    }
    end(from);
    end(to);
  }

  asio::io_context io;
  std::string directory, server_path, url;
  asio::local::stream_protocol::acceptor acceptor;
  std::atomic<bool> stopping{false}, lose{false};
  std::atomic<int> lost{0};
  std::list<Pair> pairs;  // the accepting thread's until it is joined
  std::thread accepting;
};

CuttingProxy::CuttingProxy(const std::string& url) : impl_(std::make_unique<Impl>(url)) {}
CuttingProxy::~CuttingProxy() = default;
const std::string& CuttingProxy::url() const {
  return impl_->url;
}
void CuttingProxy::lose_next_reply() {
  impl_->lose = true;
}
int CuttingProxy::replies_lost() const {
  return impl_->lost;
}

}  // namespace causeway::test
