// Those who wait: how fast a message wakes them, and what a parked connection costs.
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
    co_await pause.async_wait(asio::use_awaitable);
  }
}

Task<> wake(Bench& bench, std::string_view name, std::size_t waiters, std::size_t count,
            std::chrono::milliseconds interval, std::string_view aim) {
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
  std::string text = fmt::format("{} waiters   p50 {:6.2f} ms  p99 {:6.2f} ms from PUT to the reply of /sync", waiters,
                                 percentile(*latencies, 0.5), percentile(*latencies, 0.99));
  text += fmt::format("   p99 {:.2f} x the time of as many bare requests",
                      percentile(*latencies, 0.99) / (static_cast<double>(waiters) * 1000 / bench.bare_requests()));
  if (bench.options().pid != 0)
    text += fmt::format("   {:6.3f} ms CPU each",
                        (cpu_seconds(bench.options().pid) - cpu) * 1000 / static_cast<double>(latencies->size()));
  bench.report(name, text, aim);
}

Task<> wake_20(Bench& bench) {
  co_await wake(bench, "wake_20", 20, 50, 100ms, "< 4 / < 10 ms");
}
// So far apart that each has reached everyone before the next: what is measured is a wake-up, not a backlog.
Task<> wake_1000(Bench& bench) {
  co_await wake(bench, "wake_1000", 1'000, 20, 1s, "p99 < 100 ms");
}

Task<> park(ClientPtr who, std::string since) {
  std::string path = sync_path(since, 120'000);
  co_await who->request("GET", std::move(path));
}

// A hundred users with a hundredth of the connections each; account data of theirs ends the polls.
Task<> parked(Bench& bench, std::string_view name, const std::string& url, std::string_view aim) {
  constexpr std::size_t user_count = 100;
  bench.restart();  // so that no memory is used again that an earlier scenario gave back
  auto users = co_await bench.users(std::string(name), user_count);
  const auto each = static_cast<std::size_t>(bench.options().idle) / user_count;
  const double before = memory_bytes(bench.options().pid);
  std::vector<Task<>> tasks;
  for (const auto& user : users) {
    std::string since = co_await bench.position(user);
    for (std::size_t i = 0; i < each; ++i) {
      auto connection = std::make_shared<Client>(bench.context().get_executor(), Target::parse(url));
      connection->use_token(user->token());
      tasks.push_back(park(std::move(connection), since));
    }
  }
  const auto count = tasks.size();
  auto measure = [](Bench* b, std::string_view label, std::string_view goal, double base, std::size_t n,
                    const std::vector<ClientPtr>* owners) -> Task<> {
    double last = 0;
    // Until all are parked: the memory stands still.
    for (double now = memory_bytes(b->options().pid); now != last || now == base;
         now = memory_bytes(b->options().pid)) {
      last = now;
      asio::steady_timer pause(b->context(), 3s);
      co_await pause.async_wait(asio::use_awaitable);
    }
    b->report(label, fmt::format("{} parked /sync: {:.1f} KiB each", n, (last - base) / 1024 / static_cast<double>(n)),
              goal);
    for (const auto& owner : *owners) {
      std::string path = "/_matrix/client/v3/user/" + percent_encode(owner->user()) + "/account_data/org.example.bench";
      co_await owner->request("PUT", std::move(path), "{}");
    }
  };
  tasks.push_back(measure(&bench, name, aim, before, count, &users));
  co_await bench.all(std::move(tasks));
}

Task<> parked_plain(Bench& bench) {
  co_await parked(bench, "parked_plain", bench.options().url, "<= 16 KiB");
}
Task<> parked_tls(Bench& bench) {
  if (bench.options().tls_url.empty()) {
    bench.report("parked_tls", "left out: no --tls-url");
    co_return;
  }
  co_await parked(bench, "parked_tls", bench.options().tls_url, "<= 48 KiB");
}

}  // namespace

std::vector<Scenario> waiter_scenarios() {
  return {
      {"wake_20", "20 waiters in one room, 10 messages a second", true, wake_20},
      {"wake_1000", "1,000 waiters in one room, a message a second", false, wake_1000},
      {"parked_plain", "memory of idle long-polls", false, parked_plain},
      {"parked_tls", "memory of idle long-polls over TLS", false, parked_tls},
  };
}

}  // namespace causeway::bench
