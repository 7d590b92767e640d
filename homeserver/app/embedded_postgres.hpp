// A PostgreSQL cluster of our own in the data directory: made at first use, supervised, stopped with the server.
//
// Durable (fsync, synchronous_commit, checksums), reachable through a private Unix socket only. When this process is
// killed the kernel tells PostgreSQL to shut down; a start that finds it still running ends it before going on.
#pragma once

#include <memory>
#include <string>

namespace causeway {

class EmbeddedPostgres {
 public:
  explicit EmbeddedPostgres(std::string data_directory);
  ~EmbeddedPostgres();  // stops it

  // Blocks until it answers. Throws std::runtime_error with PostgreSQL's own words when it can't be started.
  void start();
  // Fast shutdown: sessions end, what is committed is on disk. Blocks until it is gone.
  void stop();

  const std::string& url() const;

  // The URL of a cluster that a server is running on this directory right now, for the command line; empty if none.
  static std::string url_of_running(const std::string& data_directory);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace causeway
