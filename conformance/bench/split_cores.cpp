#include "conformance/bench/split_cores.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <set>
#include <system_error>

#include "conformance/bench/limits.hpp"

namespace causeway::bench {

namespace {

// A thread may have ended meanwhile.
void confine(int thread, const cpu_set_t& cores) {
  if (sched_setaffinity(thread, sizeof cores, &cores) < 0 && errno != ESRCH)
    throw std::system_error(errno, std::generic_category(), "sched_setaffinity");
}

// New threads are where the one is that starts them: once nobody is new, nobody is elsewhere.
void confine_family(int pid, const cpu_set_t& cores) {
  std::set<int> confined;
  for (bool somebody_new = true; somebody_new;) {
    somebody_new = false;
    for (const int thread : thread_ids(pid)) {
      if (!confined.insert(thread).second) continue;
      confine(thread, cores);
      somebody_new = true;
    }
  }
}

int last_of(const cpu_set_t& cores) {
  int last = CPU_SETSIZE - 1;
  while (last > 0 && !CPU_ISSET(last, &cores))
    --last;
  return last;
}

}  // namespace

SplitCores::SplitCores(int pid) {
  if (sched_getaffinity(0, sizeof all_, &all_) < 0)
    throw std::system_error(errno, std::generic_category(), "sched_getaffinity");
  if (pid == 0 || CPU_COUNT(&all_) < 2) return;
  pid_ = pid;
  free_core_ = last_of(all_);
  servers_ = all_;
  CPU_CLR(free_core_, &servers_);
  confine_family(pid_, servers_);
}

SplitCores::~SplitCores() {
  try {
    if (pid_ != 0) confine_family(pid_, all_);
  } catch (const std::system_error&) {
    // The server has what cores it has.
  }
}

void SplitCores::enter_free_core() const {
  if (pid_ == 0) return;
  cpu_set_t own;
  CPU_ZERO(&own);
  CPU_SET(free_core_, &own);
  confine(0, own);
}

std::string SplitCores::describe() const {
  if (pid_ == 0) return "server and load generator share all cores";
  return fmt::format("the server has {} of {} cores, the load generator the other", CPU_COUNT(&servers_),
                     CPU_COUNT(&all_));
}

}  // namespace causeway::bench
