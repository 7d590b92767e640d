// Joining a large room of the second server, and where the time goes.
#include <fmt/format.h>

#include <sstream>

#include "conformance/bench/bench.hpp"
#include "conformance/bench/limits.hpp"

namespace causeway::bench {

namespace {

constexpr std::size_t member_count = 30'000;
constexpr std::size_t at_once = 16;

// Seconds by phase, so far.
using Phases = std::map<std::string, double>;

// Causeway tells them in its metrics; another server has none.
Task<Phases> join_phases(ClientPtr client) {
  const std::string prefix = "causeway_remote_join_seconds_sum{phase=\"";
  Phases phases;
  std::istringstream lines(co_await client->request("GET", "/metrics"));
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with(prefix)) continue;
    const auto end = line.find('"', prefix.size());
    phases[line.substr(prefix.size(), end - prefix.size())] = std::stod(line.substr(line.rfind(' ')));
  }
  co_return phases;
}

Task<std::string> large_room_elsewhere(Bench& bench, ClientPtr owner) {
  const std::string room_id = co_await bench.room(owner);
  std::function<Task<>(std::size_t)> enter = [&bench, room_id](std::size_t i) -> Task<> {
    auto member = co_await bench.user_elsewhere("member-" + std::to_string(i));
    co_await bench.join(member, room_id);
  };
  co_await bench.each(member_count, at_once, std::move(enter));
  co_return room_id;
}

Task<> join_30000(Bench& bench) {
  if (bench.options().other_url.empty()) {
    bench.leave_out("join_30000", "no --other-url");
    co_return;
  }
  auto owner = co_await bench.user_elsewhere("large-owner");
  const std::string room_id = co_await large_room_elsewhere(bench, owner);
  auto who = co_await bench.user("join-large");
  auto before = co_await join_phases(bench.twin(who));
  const double cpu_here = cpu_seconds(bench.options().pid), cpu_there = cpu_seconds(bench.options().other_pid);
  const auto begin = Clock::now();
  co_await bench.join(who, room_id, server_of(owner->user()));
  const double seconds = milliseconds_since(begin) / 1000;
  const double floor = static_cast<double>(member_count) / bench.verifications();
  bench.report("join_30000",
               fmt::format("{:.2f} s   {:.1f} x the time of its signature checks on one core   {:.2f} + {:.2f} s CPU",
                           seconds, seconds / floor, cpu_seconds(bench.options().pid) - cpu_here,
                           cpu_seconds(bench.options().other_pid) - cpu_there));
  auto after = co_await join_phases(bench.twin(who));
  for (const auto& [phase, total] : after)
    bench.report("", fmt::format("{:>8.2f} s {}", total - before[phase], phase));
}

}  // namespace

std::vector<Scenario> remote_join_scenarios() {
  return {{"join_30000", "join a room of 30,000 members over federation", Stage::heavy, join_30000}};
}

}  // namespace causeway::bench
