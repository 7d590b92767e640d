#include "homeserver/app/embedded_postgres.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <condition_variable>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <pqxx/pqxx>
#include <sstream>
#include <thread>

#include "homeserver/app/synced_directory.hpp"
#include "schema/log.hpp"

namespace causeway {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

namespace {

constexpr auto start_limit = 60s;  // recovery after a crash included
constexpr auto stop_limit = 10s;
constexpr auto max_backoff = 10'000ms;
constexpr std::string_view binaries = "/usr/lib/postgresql/15/bin/";

std::string read_text(const fs::path& path) {
  std::ifstream in(path);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

std::string tail(const fs::path& path) {
  std::string text = read_text(path);
  return text.size() > 2000 ? text.substr(text.size() - 2000) : text;
}

// Runs a program with its output in a file; the child dies (`death_signal`) when the calling thread does.
pid_t spawn(const std::vector<std::string>& command, const fs::path& output, int death_signal) {
  std::vector<char*> arguments;
  for (const auto& argument : command)
    arguments.push_back(const_cast<char*>(argument.c_str()));
  arguments.push_back(nullptr);
  const int out = open(output.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (out < 0) throw std::runtime_error("can't write " + output.string() + ": " + std::strerror(errno));
  const pid_t parent = getpid();
  const pid_t child = fork();
  if (child == 0) {
    // Between fork and exec only calls that are safe in a process with threads.
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, nullptr);
    prctl(PR_SET_PDEATHSIG, death_signal);
    if (getppid() != parent) _exit(127);
    setsid();  // a terminal's Ctrl-C is for the server, which then stops us in order
    dup2(out, STDOUT_FILENO);
    dup2(out, STDERR_FILENO);
    close_range(3, ~0u, 0);
    execv(arguments[0], arguments.data());
    _exit(127);
  }
  close(out);
  if (child < 0) throw std::runtime_error("can't start a process: " + std::string(std::strerror(errno)));
  return child;
}

int wait_for(pid_t child) {
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return status;
}

pid_t recorded_pid(const fs::path& cluster) {
  std::ifstream in(cluster / "postmaster.pid");
  pid_t pid = 0;
  in >> pid;
  return pid;
}

// A copied directory brings the other server's pid file along, and numbers are used again: only a process that works in
// this very directory is its postmaster.
bool is_postmaster_of(pid_t pid, const fs::path& cluster) {
  std::error_code error;
  const auto working_directory = fs::read_symlink("/proc/" + std::to_string(pid) + "/cwd", error);
  return !error && pid > 1 && working_directory == fs::canonical(cluster, error);
}

bool wait_until_gone(pid_t pid, const fs::path& cluster, std::chrono::seconds limit) {
  const auto deadline = std::chrono::steady_clock::now() + limit;
  while (is_postmaster_of(pid, cluster)) {
    if (std::chrono::steady_clock::now() >= deadline) return false;
    std::this_thread::sleep_for(10ms);
  }
  return true;
}

void end_orphan(const fs::path& cluster) {
  const pid_t pid = recorded_pid(cluster);
  if (is_postmaster_of(pid, cluster)) {
    log::warn("ending the PostgreSQL (process {}) that an earlier server left running", pid);
    kill(pid, SIGINT);
    if (!wait_until_gone(pid, cluster, stop_limit)) kill(pid, SIGQUIT);
    if (!wait_until_gone(pid, cluster, stop_limit))
      throw std::runtime_error("PostgreSQL (process " + std::to_string(pid) + ") does not end; stop it by hand");
  }
  std::error_code ignored;
  fs::remove(cluster / "postmaster.pid", ignored);
}

std::string connection_string(const std::string& socket_directory, std::string_view database) {
  return "host=" + socket_directory + " user=causeway dbname=" + std::string(database);
}

}  // namespace

struct EmbeddedPostgres::Impl {
  explicit Impl(std::string data)
      : directory(fs::absolute(data)),
        cluster(directory / "postgres"),
        log(directory / "postgres.log"),
        socket_record(directory / "postgres.socket") {}

  void make_cluster() {
    if (fs::exists(cluster / "PG_VERSION")) return;
    // Made beside and moved: a start that is killed half way leaves nothing that looks complete.
    const fs::path fresh = directory / "postgres.new";
    fs::remove_all(fresh);
    const pid_t initdb = spawn({std::string(binaries) + "initdb", "-D", fresh, "-U", "causeway", "--data-checksums",
                                "--encoding=UTF8", "--locale=C", "--auth-local=trust", "--auth-host=reject"},
                               log, SIGKILL);
    if (wait_for(initdb) != 0) throw std::runtime_error("initdb failed (is postgresql-15 installed?):\n" + tail(log));
    fs::rename(fresh, cluster);
    sync_directory(directory);
  }

  // Short, because a socket's path holds 107 bytes; private, because whoever reaches it is trusted.
  void make_socket_directory() {
    std::error_code ignored;
    if (const std::string old = read_text(socket_record); old.starts_with("/tmp/causeway-"))
      fs::remove_all(old, ignored);
    std::string name = "/tmp/causeway-XXXXXX";
    if (!mkdtemp(name.data()))
      throw std::runtime_error("can't make a directory in /tmp: " + std::string(std::strerror(errno)));
    socket_directory = name;
    std::ofstream(socket_record) << socket_directory;
    url = connection_string(socket_directory, "causeway");
  }

  std::vector<std::string> command() const {
    std::vector<std::string> out = {std::string(binaries) + "postgres", "-D", cluster, "-k", socket_directory};
    for (const char* setting : {"listen_addresses=", "fsync=on", "synchronous_commit=on", "full_page_writes=on",
                                "wal_compression=lz4", "shared_buffers=128MB", "max_wal_size=2GB",
                                "checkpoint_timeout=15min", "max_connections=100", "jit=off", "autovacuum_naptime=30s",
                                "logging_collector=off", "log_destination=stderr", "unix_socket_permissions=0700"}) {
      out.emplace_back("-c");
      out.emplace_back(setting);
    }
    return out;
  }

  // Runs on a thread of its own for as long as PostgreSQL should run: the kernel's death signal is bound to this
  // thread.
  void supervise() {
    auto backoff = 100ms;
    while (!stopping) {
      const auto started = std::chrono::steady_clock::now();
      pid_t child = 0;
      try {
        child = spawn(command(), log, SIGINT);
      } catch (const std::exception& error) {
        log::error("{}", error.what());
      }
      if (child > 0) {
        postmaster = child;
        if (stopping) kill(child, SIGINT);
        wait_for(child);
        postmaster = 0;
        ++exits;
      }
      if (stopping) return;
      if (std::chrono::steady_clock::now() - started > 60s) backoff = 100ms;
      log::error("the embedded PostgreSQL ended; starting it again in {} ms (see {})", backoff.count(), log.string());
      std::unique_lock lock(mutex);
      wake.wait_for(lock, backoff, [this] { return stopping.load(); });
      backoff = std::min<std::chrono::milliseconds>(backoff * 2, max_backoff);
    }
  }

  void wait_until_it_answers() {
    const auto deadline = std::chrono::steady_clock::now() + start_limit;
    for (;;) {
      try {
        pqxx::connection probe(connection_string(socket_directory, "postgres"));
        pqxx::nontransaction now(probe);
        if (now.exec("select 1 from pg_database where datname = 'causeway'").empty())
          now.exec("create database causeway template template0");
        return;
      } catch (const pqxx::broken_connection&) {
        if (exits > 2) throw std::runtime_error("the embedded PostgreSQL does not start:\n" + tail(log));
        if (std::chrono::steady_clock::now() >= deadline)
          throw std::runtime_error("the embedded PostgreSQL does not answer:\n" + tail(log));
        std::this_thread::sleep_for(5ms);
      }
    }
  }

  const fs::path directory, cluster, log, socket_record;
  std::string socket_directory, url;
  std::atomic<bool> stopping{false};
  std::atomic<pid_t> postmaster{0};
  std::atomic<int> exits{0};
  std::mutex mutex;
  std::condition_variable wake;
  std::thread supervisor;
};

EmbeddedPostgres::EmbeddedPostgres(std::string data_directory)
    : impl_(std::make_unique<Impl>(std::move(data_directory))) {}

EmbeddedPostgres::~EmbeddedPostgres() {
  stop();
}

void EmbeddedPostgres::start() {
  std::error_code ignored;
  if (fs::exists(impl_->log) && fs::file_size(impl_->log, ignored) > (16u << 20))
    fs::rename(impl_->log, impl_->directory / "postgres.log.old", ignored);
  impl_->make_cluster();
  if (chmod(impl_->cluster.c_str(), 0700) != 0)
    throw std::runtime_error("can't set the mode of " + impl_->cluster.string() + ": " + std::strerror(errno));
  end_orphan(impl_->cluster);
  impl_->make_socket_directory();
  impl_->supervisor = std::thread([this] { impl_->supervise(); });
  impl_->wait_until_it_answers();
}

void EmbeddedPostgres::stop() {
  if (!impl_->supervisor.joinable()) return;
  {
    std::lock_guard lock(impl_->mutex);
    impl_->stopping = true;
  }
  impl_->wake.notify_all();
  if (const pid_t postmaster = impl_->postmaster) kill(postmaster, SIGINT);
  impl_->supervisor.join();
  std::error_code ignored;
  fs::remove_all(impl_->socket_directory, ignored);
  fs::remove(impl_->socket_record, ignored);
}

const std::string& EmbeddedPostgres::url() const {
  return impl_->url;
}

std::string EmbeddedPostgres::url_of_running(const std::string& data_directory) {
  const fs::path directory = fs::absolute(data_directory);
  const std::string socket_directory = read_text(directory / "postgres.socket");
  if (socket_directory.empty() || !is_postmaster_of(recorded_pid(directory / "postgres"), directory / "postgres"))
    return "";
  return connection_string(socket_directory, "causeway");
}

}  // namespace causeway
