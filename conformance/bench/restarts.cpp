// How long a server takes to answer again, with what the scenarios before this one left in its database.
#include <fmt/format.h>

#include <algorithm>

#include "conformance/bench/bench.hpp"
#include "conformance/bench/limits.hpp"

namespace causeway::bench {

namespace {

constexpr double grown_events = 1'000'000;

// The slowest of three counts.
Task<> measure_start(Bench& bench, std::string_view name, double events) {
  auto who = co_await bench.user(std::string(name));
  double slowest = 0;
  std::string times;
  for (int i = 0; i < 3; ++i) {
    const auto seconds = bench.restart();
    if (!seconds) {
      bench.leave_out(name, "no --control to restart it by");
      co_return;
    }
    slowest = std::max(slowest, *seconds);
    times += fmt::format("{:.2f} ", *seconds);
    who->hang_up();
    co_await bench.position(who);
  }
  bench.findings().note(name, "to first answer", slowest);
  bench.report(name,
               fmt::format("{}s to the first answer, its PostgreSQL included, with {:.0f} events", times, events));
}

double events_now(Bench& bench) {
  return bench.options().database_url.empty() ? 0 : storage(bench.options().database_url).events;
}

Task<> start(Bench& bench) {
  co_await measure_start(bench, "start", events_now(bench));
}

Task<> start_grown(Bench& bench) {
  constexpr std::string_view name = "start_grown";
  const double events = events_now(bench);
  if (events < grown_events)
    bench.leave_out(name, fmt::format("{:.0f} of {:.0f} events are known of: see growth", events, grown_events));
  else
    co_await measure_start(bench, name, events);
}

}  // namespace

std::vector<Scenario> restart_scenarios() {
  return {
      {"start", "from start to the first answer, with few events", Stage::fresh, start},
      {"start_grown", "the same with 1,000,000 events, after growth", Stage::history, start_grown},
  };
}

}  // namespace causeway::bench
