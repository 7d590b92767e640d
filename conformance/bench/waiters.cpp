// How fast a message wakes those who wait for it.
#include <fmt/format.h>

#include "conformance/bench/bench.hpp"
#include "conformance/bench/limits.hpp"

namespace causeway::bench {

namespace {

using namespace std::chrono_literals;

// When each message was sent, by its body.
using Sent = std::shared_ptr<std::map<std::string, Clock::time_point>>;

// Long-polls and notes when each of `count` messages reached it.
Task<> wait_for_messages(ClientPtr who, std::string since, std::size_t count, Sent sent, Latencies latencies) {
  std::size_t got = 0;
  while (got < count) {
    std::string path = sync_path(since, 10'000);
    std::string reply = co_await who->request("GET", std::move(path));
    const auto now = Clock::now();
    since = next_batch(reply);
    for (const auto& [body, when] : *sent) {
      if (reply.find(body) == std::string::npos) continue;
      latencies->push_back(std::chrono::duration<double, std::milli>(now - when).count());
      ++got;
    }
  }
}

Task<> send_steadily(Bench& bench, ClientPtr who, std::string room_id, std::size_t count,
                     std::chrono::milliseconds interval, Sent sent) {
  for (std::size_t i = 0; i < count; ++i) {
    std::string body = "wake-" + bench.run() + "-" + std::to_string(1000 + i) + ".";
    (*sent)[body] = Clock::now();
    co_await bench.send(who, room_id, std::move(body));
    asio::steady_timer pause(bench.context(), interval);
    co_await expiry(pause);
  }
}

Task<> wake(Bench& bench, std::string_view name, std::size_t waiters, std::size_t count,
            std::chrono::milliseconds interval) {
  ClientPtr owner = co_await bench.user(std::string(name) + "-owner");
  const std::string room_id = co_await bench.room(owner);
  auto users = co_await bench.users(std::string(name), waiters);
  std::function<Task<>(std::size_t)> enter = [&](std::size_t i) { return bench.join(users[i], room_id); };
  co_await bench.each(users.size(), 8, std::move(enter));
  auto sent = std::make_shared<std::map<std::string, Clock::time_point>>();
  auto latencies = std::make_shared<std::vector<double>>();
  std::vector<Task<>> tasks;
  for (const auto& waiter : users) {
    std::string since = co_await bench.position(waiter);
    tasks.push_back(wait_for_messages(waiter, std::move(since), count, sent, latencies));
  }
  const double cpu = cpu_seconds(bench.options().pid);
  tasks.push_back(send_steadily(bench, owner, room_id, count, interval, sent));
  co_await bench.all(std::move(tasks));
  const double p50 = percentile(*latencies, 0.5), p99 = percentile(*latencies, 0.99);
  bench.findings().note(name, "p50", p50);
  bench.findings().note(name, "p99", p99);
  std::string text =
      fmt::format("{} waiters   p50 {:6.2f} ms  p99 {:6.2f} ms from PUT to the reply of /sync", waiters, p50, p99);
  text += fmt::format("   p99 {:.2f} x the time of as many bare requests",
                      p99 / (static_cast<double>(waiters) * 1000 / bench.bare_requests()));
  if (bench.options().pid != 0)
    text += fmt::format("   {:6.3f} ms CPU each",
                        (cpu_seconds(bench.options().pid) - cpu) * 1000 / static_cast<double>(latencies->size()));
  bench.report(name, text);
}

Task<> wake_20(Bench& bench) {
  co_await wake(bench, "wake_20", 20, 50, 100ms);
}
// So far apart that each has reached everyone before the next: what is measured is a wake-up, not a backlog.
Task<> wake_1000(Bench& bench) {
  co_await wake(bench, "wake_1000", 1'000, 20, 1s);
}

}  // namespace

std::vector<Scenario> waiter_scenarios() {
  return {
      {"wake_20", "20 waiters in one room, 10 messages a second", Stage::load, wake_20},
      {"wake_1000", "1,000 waiters in one room, a message a second", Stage::heavy, wake_1000},
  };
}

}  // namespace causeway::bench
