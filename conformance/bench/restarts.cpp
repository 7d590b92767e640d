// How long a server takes to answer again, with what the scenarios before this one left in its database.
#include <fmt/format.h>

#include "conformance/bench/bench.hpp"
#include "conformance/bench/limits.hpp"

namespace causeway::bench {

namespace {

Task<> start(Bench& bench) {
  auto who = co_await bench.user("start");
  double events = 0;
  if (!bench.options().database_url.empty()) events = storage(bench.options().database_url).events;
  std::string times;
  for (int i = 0; i < 3; ++i) {
    const auto seconds = bench.restart();
    if (!seconds) {
      bench.report("start", "left out: no --control");
      co_return;
    }
    times += fmt::format("{:.2f} ", *seconds);
    who->hang_up();
    co_await bench.position(who);
  }
  bench.report("start",
               fmt::format("{}s to the first answer, its PostgreSQL included, with {:.0f} events", times, events),
               "< 1 s with 1,000,000");
}

}  // namespace

std::vector<Scenario> restart_scenarios() {
  return {{"start", "restart with the events there are (so after growth)", false, start}};
}

}  // namespace causeway::bench
