// More senders than the server works for at a time: what those get whom it admits, and how many it sends away.
#include <fmt/format.h>

#include "conformance/bench/bench.hpp"
#include "conformance/bench/limits.hpp"

namespace causeway::bench {

namespace {

constexpr std::size_t capacity = 512;  // writes that Causeway has under way at a time, unless configured otherwise
constexpr std::size_t user_count = 128;
// Clients are told a second or more.
constexpr std::chrono::milliseconds pause_after_refusal{100};

// Until it is known that the load lasts, longer waits are allowed.
constexpr std::chrono::seconds warm_up{2};

struct Outcome {
  std::vector<double> admitted, refused;  // milliseconds each
};

bool is_refusal(const std::runtime_error& error) {
  const std::string_view text = error.what();
  return text.find(": 429 ") != text.npos || text.find(": 503 ") != text.npos;
}

Task<bool> is_admitted(Bench& bench, ClientPtr who, std::string room_id) {
  try {
    co_await bench.send_message(std::move(who), std::move(room_id));
    co_return true;
  } catch (const std::runtime_error& error) {
    if (!is_refusal(error)) throw;
  }
  co_return false;
}

Task<> insist_until(Bench& bench, ClientPtr who, std::string room_id, Clock::time_point from, Clock::time_point end,
                    std::shared_ptr<Outcome> outcome) {
  asio::steady_timer pause(bench.context());
  while (Clock::now() < end) {
    const auto begin = Clock::now();
    const bool admitted = co_await is_admitted(bench, who, room_id);
    if (begin >= from) (admitted ? outcome->admitted : outcome->refused).push_back(milliseconds_since(begin));
    if (admitted) continue;
    pause.expires_after(pause_after_refusal);
    co_await pause.async_wait(asio::use_awaitable);
  }
}

Task<> read_cpu_at(Bench& bench, Clock::time_point moment, double& seconds) {
  asio::steady_timer timer(bench.context(), moment);
  co_await timer.async_wait(asio::use_awaitable);
  seconds = cpu_seconds(bench.options().pid);
}

Task<> measure(Bench& bench, std::size_t times, const std::vector<ClientPtr>& connections,
               const std::vector<std::string>& rooms) {
  auto outcome = std::make_shared<Outcome>();
  double cpu = 0;
  const auto begin = Clock::now() + warm_up;
  const auto end = begin + std::chrono::seconds(bench.options().seconds);
  std::vector<Task<>> tasks;
  tasks.push_back(read_cpu_at(bench, begin, cpu));
  for (std::size_t i = 0; i < times * capacity; ++i)
    tasks.push_back(insist_until(bench, connections[i], rooms[i % rooms.size()], begin, end, outcome));
  co_await bench.all(std::move(tasks));
  const double seconds = milliseconds_since(begin) / 1000;
  const std::string name = fmt::format("overload_{}x", times);
  bench.report_rate(name, seconds, cpu, outcome->admitted, times == 1 ? "" : "p99 as in overload_1x");
  bench.report(
      name, fmt::format("{:>7.0f} /s refused, p50 {:6.2f} ms", static_cast<double>(outcome->refused.size()) / seconds,
                        percentile(outcome->refused, 0.5)));
}

Task<> overload(Bench& bench) {
  auto users = co_await bench.users("overload", user_count);
  std::vector<std::string> rooms;
  for (const auto& user : users)
    rooms.push_back(co_await bench.room(user));
  std::vector<ClientPtr> connections;
  for (std::size_t i = 0; i < 5 * capacity; ++i)
    connections.push_back(bench.twin(users[i % users.size()]));
  for (const std::size_t times : {1, 2, 5})
    co_await measure(bench, times, connections, rooms);
}

}  // namespace

std::vector<Scenario> overload_scenarios() {
  return {{"overload", "512, 1,024 and 2,560 senders at once", false, overload}};
}

}  // namespace causeway::bench
