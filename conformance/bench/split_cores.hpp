// A core for the load generator alone, so that it can offer what the server can't do: while this exists, all threads
// of the server and its database stay off the last core.
#pragma once

#include <sched.h>

#include <string>

namespace causeway::bench {

class SplitCores {
 public:
  // Nothing is split without a process, or on a machine with one core.
  explicit SplitCores(int pid);
  ~SplitCores();
  SplitCores(const SplitCores&) = delete;
  SplitCores& operator=(const SplitCores&) = delete;

  // Puts the calling thread, and those it starts, on the core that the server is kept off.
  void enter_free_core() const;
  std::string describe() const;

 private:
  int pid_ = 0;  // 0: nothing is split
  int free_core_ = 0;
  cpu_set_t all_, servers_;
};

}  // namespace causeway::bench
