// Those who wait: how fast a message wakes them, and what a parked connection costs.
#include <fmt/format.h>

#include <boost/asio/redirect_error.hpp>

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

// The polls that are under way.
struct Polls {
  explicit Polls(asio::io_context& context) : ended(context, Clock::time_point::max()) {}
  std::size_t open = 0;
  std::exception_ptr failure;
  asio::steady_timer ended;
};
using PollsPtr = std::shared_ptr<Polls>;

Task<> open_polls(Bench& bench, PollsPtr polls, Target target, ClientPtr user, std::size_t count) {
  const std::string since = co_await bench.position(user);
  for (std::size_t i = 0; i < count; ++i) {
    auto connection = std::make_shared<Client>(bench.context().get_executor(), target);
    connection->use_token(user->token());
    co_await connection->connect();
    ++polls->open;
    asio::co_spawn(bench.context(), park(std::move(connection), since), [polls](std::exception_ptr error) {
      if (error) polls->failure = error;
      if (--polls->open == 0) polls->ended.cancel();
    });
  }
}

// Once it stands still.
Task<double> memory_at_rest(Bench& bench, double before) {
  double last = 0;
  for (double now = before; now != last || now == before; now = memory_bytes(bench.options().pid)) {
    last = now;
    asio::steady_timer pause(bench.context(), 3s);
    co_await pause.async_wait(asio::use_awaitable);
  }
  co_return last;
}

// A hundred users with a hundredth of the connections each; account data of theirs ends the polls.
Task<> parked(Bench& bench, std::string_view name, const std::string& url, std::string_view aim) {
  constexpr std::size_t user_count = 100;
  if (bench.options().pid == 0) {
    bench.report(name, "left out: no --pid");
    co_return;
  }
  bench.restart();  // so that no memory is used again that an earlier scenario gave back
  auto users = co_await bench.users(std::string(name), user_count);
  const auto each = static_cast<std::size_t>(bench.options().idle) / user_count;
  const double before = memory_bytes(bench.options().pid);
  auto polls = std::make_shared<Polls>(bench.context());
  std::function<Task<>(std::size_t)> open = [&](std::size_t i) {
    return open_polls(bench, polls, Target::parse(url), users[i], each);
  };
  co_await bench.each(users.size(), 16, std::move(open));
  const double after = co_await memory_at_rest(bench, before);
  bench.report(name,
               fmt::format("{} parked /sync: {:.1f} KiB each", polls->open,
                           (after - before) / 1024 / static_cast<double>(polls->open)),
               aim);
  for (const auto& user : users) {
    std::string path = "/_matrix/client/v3/user/" + percent_encode(user->user()) + "/account_data/org.example.bench";
    co_await user->request("PUT", std::move(path), "{}");
  }
  boost::system::error_code ignored;
  if (polls->open > 0) co_await polls->ended.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
  if (polls->failure) std::rethrow_exception(polls->failure);
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
