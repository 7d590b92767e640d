// What a server can't exceed on this machine, measured in the same run, and what it used.
#pragma once

#include <chrono>
#include <map>
#include <string>
#include <vector>

namespace causeway::bench {

// Rows per second that one client commits one by one into the PostgreSQL at this URL; a row is as long as a message's.
double commits_per_second(const std::string& database_url, std::chrono::seconds duration);

// The connection string of the embedded PostgreSQL under a data directory; empty if none runs.
std::string embedded_database_url(const std::string& data_directory);

// The threads, as the kernel numbers them, of a process and all its descendants.
std::vector<int> thread_ids(int pid);

// CPU seconds, user and system, that a process and all its descendants have used so far. 0 for pid 0.
double cpu_seconds(int pid);

// Proportional set size of a process and its descendants, PostgreSQL's processes left out. 0 for pid 0.
double memory_bytes(int pid);

// What a database takes: as a whole, by table with its indexes, and the raw JSON of events where it is Causeway's.
struct Storage {
  double database = 0;
  double log = 0;  // bytes of write-ahead log written since the cluster was made
  double raw_json = 0;
  double events = 0;
  std::map<std::string, double> tables;
};
Storage storage(const std::string& database_url);
double log_bytes(const std::string& database_url);  // Storage::log; 0 without a URL

// Connections that this process may have open to a server that may have as many files open.
std::size_t connections_allowed();

// 10^6 bytes per second from one thread to another over TCP on the loopback address: what replies can't exceed that are
// bound by their length.
double copied_megabytes_per_second();

// Ed25519 signatures, and checks of them, per second on one core.
double signatures_per_second();
double verifications_per_second();

}  // namespace causeway::bench
