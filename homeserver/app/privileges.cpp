#include "homeserver/app/privileges.hpp"

#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "homeserver/app/data_directory.hpp"
#include "schema/log.hpp"

namespace causeway {

namespace {

struct User {
  std::string name;
  uid_t uid;
  gid_t gid;
};

User server_user(const Config& config) {
  std::vector<std::string> candidates = {"causeway", "nobody"};
  if (!config.run_as.empty()) candidates = {config.run_as};
  for (const auto& name : candidates)
    if (const passwd* found = getpwnam(name.c_str())) {
      if (found->pw_uid == 0) throw ConfigError("server.run_as: must not be root");
      return {name, found->pw_uid, found->pw_gid};
    }
  throw ConfigError("server.run_as: there is no user \"" + candidates.front() + "\"");
}

void become(const User& user) {
  if (initgroups(user.name.c_str(), user.gid) != 0 || setgid(user.gid) != 0 || setuid(user.uid) != 0)
    throw std::runtime_error("can't become the user " + user.name + ": " + std::strerror(errno));
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
#ifdef __SANITIZE_ADDRESS__
  prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);  // its search for leaks traces the process
#endif
}

// The parent's whole life: pass signals on, send files anew, wait for the child.
int attend(pid_t child, int socket, const Config& config, const sigset_t& signals) {
  for (;;) {
    int signal = 0;
    if (sigwait(&signals, &signal) != 0) continue;
    if (signal == SIGTERM || signal == SIGINT) kill(child, signal);
    if (signal == SIGHUP) {
      try {
        send_files(socket, read_private_files(config));
      } catch (const std::exception& error) {
        log::error("the files were not read again: {}", error.what());
      }
    }
    int status = 0;
    if (signal == SIGCHLD && waitpid(child, &status, WNOHANG) == child)
      return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }
}

}  // namespace

void send_files(int socket, const PrivateFiles& files) {
  const std::string text = to_message(files);
  const auto size = static_cast<std::uint32_t>(text.size());
  std::string message(reinterpret_cast<const char*>(&size), sizeof size);
  message += text;
  for (std::size_t sent = 0; sent < message.size();) {
    const ssize_t n = send(socket, message.data() + sent, message.size() - sent, MSG_NOSIGNAL);
    if (n < 0 && errno != EINTR)
      throw std::runtime_error("the server does not take them: " + std::string(std::strerror(errno)));
    if (n > 0) sent += static_cast<std::size_t>(n);
  }
}

int run_unprivileged(const Config& config, const std::function<int(PrivateFiles, FileUpdates)>& server) {
  if (geteuid() != 0) return server(read_private_files(config), {});
  const User user = server_user(config);
  PrivateFiles files = read_private_files(config);
  prepare_data_directory(config.data_directory, user.uid, user.gid);

  int sockets[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets) != 0)
    throw std::runtime_error("can't make a socket: " + std::string(std::strerror(errno)));
  sigset_t signals, before;
  sigemptyset(&signals);
  for (int signal : {SIGTERM, SIGINT, SIGHUP, SIGCHLD})
    sigaddset(&signals, signal);
  sigprocmask(SIG_BLOCK, &signals, &before);
  const pid_t parent = getpid();
  const pid_t child = fork();
  if (child < 0) throw std::runtime_error("can't start a process: " + std::string(std::strerror(errno)));
  if (child > 0) {
    close(sockets[1]);
    return attend(child, sockets[0], config, signals);
  }
  close(sockets[0]);
  become(user);
  // After setuid, which clears it.
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(1);
  sigprocmask(SIG_SETMASK, &before, nullptr);
  return server(std::move(files), {sockets[1]});
}

void raise_open_file_limit(const Config& config) {
  const auto wanted = static_cast<rlim_t>(config.max_connections) + files_besides_clients;
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  if (limit.rlim_cur >= wanted) return;
  rlimit raised{wanted, std::max(limit.rlim_max, wanted)};
  if (setrlimit(RLIMIT_NOFILE, &raised) == 0) return;
  raised = {std::min(limit.rlim_max, wanted), limit.rlim_max};
  setrlimit(RLIMIT_NOFILE, &raised);
  if (raised.rlim_cur < wanted)
    log::warn("at most {} files may be open, which is less than http.max_connections ({}) needs: see ulimit -n",
              raised.rlim_cur, config.max_connections);
}

void become_server_user(const Config& config) {
  if (geteuid() != 0) return;
  const User user = server_user(config);
  prepare_data_directory(config.data_directory, user.uid, user.gid);
  become(user);
}

}  // namespace causeway
