// What the scenarios share: users and rooms on the server under test, its limits, the report.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "conformance/bench/client.hpp"
#include "conformance/bench/findings.hpp"

namespace causeway::bench {

using Clock = std::chrono::steady_clock;
using ClientPtr = std::shared_ptr<Client>;
using Latencies = std::shared_ptr<std::vector<double>>;  // milliseconds

struct Options {
  std::string url = "http://127.0.0.1:8008";
  std::string tls_url;         // the same server over TLS
  std::string other_url;       // a second server, for the federation's scenarios
  std::string data_directory;  // Causeway's, to reach its embedded PostgreSQL
  std::string database_url;
  std::string control;      // a command that stops or starts the server when `stop` or `start` is added to it
  int pid = 0;              // the server under test; 0: nothing is said of CPU time and memory
  int other_pid = 0;        // the second server
  int seconds = 5;          // of each scenario that measures a rate
  int idle = 20'000;        // parked connections
  int history = 1'000'000;  // messages of `growth`
  std::vector<std::string> only;
  bool all = false;
};

struct OwnedRoom {
  std::string id;
  ClientPtr owner;
};

double milliseconds_since(Clock::time_point begin);
double percentile(std::vector<double> values, double p);

class Bench {
 public:
  Bench(asio::io_context& context, Options options);

  const Options& options() const { return options_; }
  asio::io_context& context() { return context_; }
  // Differs from run to run and makes names unique.
  const std::string& run() const { return run_; }

  Task<> measure_limits();
  // Of one client on the same PostgreSQL, in this run; 0 when that could not be reached.
  double commits() const { return commits_; }
  // Signature checks per second on one core.
  double verifications() const { return verifications_; }
  // Of GET /versions over 64 connections: what HTTP alone costs server and load generator.
  double bare_requests() const { return bare_requests_; }

  // Stops the server and starts it again; returns the seconds from its start to its answer. Connections are lost.
  // Nothing where no --control is given.
  std::optional<double> restart();

  // --- users and rooms ---
  Task<ClientPtr> user(std::string name);
  Task<ClientPtr> user_elsewhere(std::string name);  // on the second server
  Task<std::vector<ClientPtr>> users(std::string name, std::size_t count);
  ClientPtr twin(const ClientPtr& of);      // a second connection of the same device
  Task<std::string> room(ClientPtr owner);  // anyone may join
  Task<> join(ClientPtr who, std::string room_id, std::string via = "");
  // A room in which `count` users are joined, its owner among them. They hold no connections.
  Task<std::string> room_of(ClientPtr owner, std::string name, std::size_t count);
  // So many rooms in which all of them are, with 5 messages.
  Task<> rooms_of_all(std::vector<ClientPtr> members, std::size_t count);
  Task<std::string> send(ClientPtr who, std::string room_id, std::string body);  // the event's ID
  Task<> send_message(ClientPtr who, std::string room_id);                       // of 80 characters
  Task<> send_many(std::vector<OwnedRoom> rooms, std::size_t count);             // `count` in all, 64 at once
  Task<std::string> position(ClientPtr who);  // next_batch of a sync without timelines

  // Runs all tasks at once; resumes when the last has ended, throws what the first failed with.
  Task<> all(std::vector<Task<>> tasks);
  // `count` jobs, at most `at_once` under way.
  Task<> each(std::size_t count, std::size_t at_once, std::function<Task<>(std::size_t)> job);

  // --- the report ---
  // What the aims are judged by.
  Findings& findings() { return findings_; }
  // One line: what was measured.
  void report(std::string_view scenario, const std::string& measured);
  // Rate with latencies, CPU time of server and database since `cpu_before`, and the ratio to commits(). Also noted.
  void report_rate(std::string_view scenario, double seconds, double cpu_before, const std::vector<double>& latencies);
  // Says and notes why the scenario can't be measured.
  void leave_out(std::string_view scenario, const std::string& why);

 private:
  Task<> measure_bare_requests();
  asio::io_context& context_;
  Options options_;
  Findings findings_;
  Target target_;
  std::string run_;
  double commits_ = 0;
  double verifications_ = 0;
  double bare_requests_ = 0;
  std::uint64_t transaction_ = 0;
};

// Scenarios run in this order, so that one does not disturb the next.
enum class Stage {
  fresh,     // nothing has happened yet
  load,      // what happens every day
  loaded,    // what that has left behind
  heavy,     // large rooms, and more than a server can do
  restarts,  // the server starts anew
  history,   // the database becomes large
};

struct Scenario {
  std::string_view name;
  std::string_view about;
  Stage stage;
  // Part of a run without options; the others are long and come with --all.
  bool is_usual() const { return stage <= Stage::loaded; }
  Task<> (*run)(Bench&);
};

// One table per file of scenarios.
std::vector<Scenario> send_scenarios();
std::vector<Scenario> sync_scenarios();
std::vector<Scenario> waiter_scenarios();
std::vector<Scenario> memory_scenarios();
std::vector<Scenario> federation_scenarios();
std::vector<Scenario> remote_join_scenarios();
std::vector<Scenario> growth_scenarios();
std::vector<Scenario> curve_scenarios();
std::vector<Scenario> restart_scenarios();
std::vector<Scenario> overload_scenarios();

std::string server_of(const std::string& user);
std::string sync_path(const std::string& since, int timeout_ms, const std::string& filter = "");
std::string next_batch(const std::string& reply);

}  // namespace causeway::bench
