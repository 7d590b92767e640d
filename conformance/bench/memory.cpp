// What memory the server takes: idle, after a load, and for each parked connection. PostgreSQL's is not counted.
#include <fmt/format.h>

#include "conformance/bench/bench.hpp"
#include "conformance/bench/limits.hpp"

namespace causeway::bench {

namespace {

using namespace std::chrono_literals;

bool can_be_measured(Bench& bench, std::string_view name) {
  if (bench.options().pid == 0) bench.leave_out(name, "no --pid");
  return bench.options().pid != 0;
}

// Once it has changed from what it was, and stands still; or after a minute.
Task<double> memory_at_rest(Bench& bench, double before) {
  double last = 0, now = before;
  for (int i = 0; i < 20 && (now != last || now == before); ++i) {
    last = now;
    asio::steady_timer pause(bench.context(), 3s);
    co_await expiry(pause);
    now = memory_bytes(bench.options().pid);
  }
  co_return now;
}

Task<> report_memory(Bench& bench, std::string_view name, std::string_view when) {
  const double megabytes = co_await memory_at_rest(bench, 0) / 1e6;
  bench.findings().note(name, "server alone", megabytes);
  bench.report(name, fmt::format("{:.1f} MB {}, without PostgreSQL", megabytes, when));
}

Task<> memory_idle(Bench& bench) {
  if (!can_be_measured(bench, "memory_idle")) co_return;
  const bool fresh = bench.restart().has_value();
  co_await report_memory(bench, "memory_idle", fresh ? "just started" : "as it is found");
}

Task<> memory_loaded(Bench& bench) {
  constexpr std::string_view name = "memory_loaded";
  if (!can_be_measured(bench, name)) co_return;
  if (!bench.findings().value("send_64", "rate")) {
    bench.leave_out(name, "there was no load: send_64 did not run before");
    co_return;
  }
  co_await report_memory(bench, name, "after the scenarios above");
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
    spawn(bench.context(), park(std::move(connection), since), [polls](std::exception_ptr error) {
      if (error) polls->failure = error;
      if (--polls->open == 0) polls->ended.cancel();
    });
  }
}

constexpr std::size_t users_who_poll = 100;

// As many as are wanted and as may be open.
std::size_t polls_of_each(Bench& bench, std::string_view name) {
  const auto wanted = static_cast<std::size_t>(bench.options().idle), allowed = connections_allowed();
  if (wanted <= allowed) return wanted / users_who_poll;
  const std::size_t each = allowed / users_who_poll;
  bench.findings().leave_out(name, "connections",
                             fmt::format("ulimit -n allows no more than the {} there were", each * users_who_poll));
  return each;
}

Task<> end_polls(const std::vector<ClientPtr>& users, PollsPtr polls) {
  for (const auto& user : users) {
    std::string path = "/_matrix/client/v3/user/" + percent_encode(user->user()) + "/account_data/org.example.bench";
    co_await user->request("PUT", std::move(path), "{}");
  }
  if (polls->open > 0) co_await expiry(polls->ended);
  if (polls->failure) std::rethrow_exception(polls->failure);
}

// A hundred users with a hundredth of the connections each; account data of theirs ends the polls.
Task<> parked(Bench& bench, std::string_view name, const std::string& url) {
  if (!can_be_measured(bench, name)) co_return;
  const std::size_t each = polls_of_each(bench, name);
  bench.restart();  // so that no memory is used again that an earlier scenario gave back
  std::string prefix(name);
  auto users = co_await bench.users(std::move(prefix), users_who_poll);
  const double before = memory_bytes(bench.options().pid);
  auto polls = std::make_shared<Polls>(bench.context());
  std::function<Task<>(std::size_t)> open = [&](std::size_t i) {
    return open_polls(bench, polls, Target::parse(url), users[i], each);
  };
  co_await bench.each(users.size(), 16, std::move(open));
  const double after = co_await memory_at_rest(bench, before);
  const auto count = static_cast<double>(polls->open);
  const double kibibytes = (after - before) / 1024 / count;
  bench.report(name, fmt::format("{} parked /sync: {:.1f} KiB each", polls->open, kibibytes));
  bench.findings().note(name, "memory each", kibibytes);
  if (each * users_who_poll == static_cast<std::size_t>(bench.options().idle))
    bench.findings().note(name, "connections", count);
  co_await end_polls(users, polls);
}

Task<> parked_plain(Bench& bench) {
  co_await parked(bench, "parked_plain", bench.options().url);
}
Task<> parked_tls(Bench& bench) {
  if (bench.options().tls_url.empty())
    bench.leave_out("parked_tls", "no --tls-url");
  else
    co_await parked(bench, "parked_tls", bench.options().tls_url);
}

}  // namespace

std::vector<Scenario> memory_scenarios() {
  return {
      {"memory_idle", "memory of the server, just started", Stage::fresh, memory_idle},
      {"memory_loaded", "memory of the server after the scenarios before it", Stage::loaded, memory_loaded},
      {"parked_plain", "memory of idle long-polls, and how many are possible", Stage::restarts, parked_plain},
      {"parked_tls", "the same over TLS", Stage::restarts, parked_tls},
  };
}

}  // namespace causeway::bench
