// Started as root, the server runs as an unprivileged user; a small parent stays root to read keys and certificates.
#pragma once

#include <functional>

#include "homeserver/app/config.hpp"
#include "homeserver/app/files.hpp"

namespace causeway {

// Where new versions of the private files come from while the server runs.
struct FileUpdates {
  int socket = -1;  // from the parent, one message after another; -1: on SIGHUP read them yourself
};

// Runs `server` in the right process: directly when not root; else in a child that has become config.run_as, after the
// data directory was prepared for that user. Returns the exit status. SIGTERM and SIGINT go on to the child, SIGHUP
// makes the parent read the files again. If the parent is killed the kernel kills the child.
int run_unprivileged(const Config& config, const std::function<int(PrivateFiles, FileUpdates)>& server);

// Files and connections that are not clients': to other servers and the database.
inline constexpr std::size_t files_besides_clients = 1024;

// Lets this process and its children have the files (a connection is one) that the configuration needs; before
// privileges are dropped, since only root gets more than the hard limit. Warns when that is not enough.
void raise_open_file_limit(const Config& config);

// Messages on the socket: 4 bytes of length, then to_message(). Blocking.
void send_files(int socket, const PrivateFiles& files);

// For command-line tools started as root on a data directory: become its owner (or run_as) for good.
void become_server_user(const Config& config);

}  // namespace causeway
