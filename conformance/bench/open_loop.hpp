// Asks a server at a rate that does not depend on how fast it answers, as users do who know nothing of each other. One
// thread, plain sockets and no memory per request: what it costs is the system calls.
//
// Moments are drawn at random (a Poisson process, the same in each run): that is how independent users come, and evenly
// spaced ones would never meet, which flatters a server. Latencies count from the moment drawn, not from when the
// generator got to it or found a connection, so that nothing a client would have to wait for is left out.
#pragma once

#include <netinet/in.h>

#include <chrono>
#include <cstdint>
#include <limits>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "conformance/bench/client.hpp"

namespace causeway::bench {

// One user's request, in the bytes of HTTP/1.1.
struct Asker {
  std::string request;
  std::size_t number_at = std::string::npos;  // where number_width digits stand that differ in each request
};
inline constexpr std::size_t number_width = 10;

struct Load {
  double per_second = 0;
  double seconds = 0;
};
// A closed loop instead: every connection asks again as soon as it is answered.
inline constexpr double as_fast_as_answered = std::numeric_limits<double>::infinity();

// What became of the requests whose moment lay in one load, however late the reply. Times are in milliseconds.
struct Outcome {
  std::size_t offered = 0;
  std::size_t not_sent = 0;                     // all connections of that user were busy, or it was more than 1 s late
  std::vector<double> admitted;                 // latencies of 200
  std::vector<double> refused;                  // of 429 and 503
  std::map<std::string, std::size_t> failures;  // anything else that became of a request, in words
  std::vector<double> late;                     // how long after its moment each was sent
  std::size_t hung_up = 0;  // connections that ended, or did not open, while they carried no request
  double cpu_seconds = 0;   // of the generator, while the load lasted
  double server_cpu_seconds = 0;
  std::size_t sent() const { return offered - not_sent; }
};

class OpenLoop {
 public:
  // Each asker has so many connections; they take turns, whatever the server answers to whom. Plain HTTP only.
  OpenLoop(const Target& target, std::vector<Asker> askers, std::size_t connections_each);
  ~OpenLoop();
  OpenLoop(const OpenLoop&) = delete;
  OpenLoop& operator=(const OpenLoop&) = delete;

  // One load after the other without a pause, then at most 30 s for the last replies. Blocks. One outcome per load.
  // The process is that whose CPU time is noted; 0: none.
  std::vector<Outcome> offer(const std::vector<Load>& loads, int server_pid);

 private:
  using Moment = std::chrono::steady_clock::time_point;
  struct Connection;

  void open_all();
  void open(Connection& connection);
  void offer_at_rate(Load load, Moment begin, Moment end);
  void offer_until(Moment end);
  void arrive(Moment intended);
  void send(Connection& connection, Moment intended);
  void take_replies(Moment until);
  void on_event(Connection& connection, std::uint32_t events);
  void read(Connection& connection, bool to_the_end);
  void finish(Connection& connection);
  void lose(Connection& connection, const char* how);
  void drain();

  std::vector<Asker> askers_;
  std::vector<Connection> connections_;
  std::vector<std::vector<Connection*>> idle_;  // by asker
  std::vector<Outcome> outcomes_;               // the last is of the load that lasts
  std::vector<char> buffer_;
  std::mt19937_64 random_;
  sockaddr_in address_{};
  int epoll_ = -1;
  std::size_t opening_ = 0;
  std::size_t under_way_ = 0;
  std::size_t next_asker_ = 0;
  std::uint64_t next_number_ = 0;
};

}  // namespace causeway::bench
