// Several times what the server can do, by a generator that can: what those get whom it admits, how fast the others
// are sent away, and how soon all is as before.
#include <fmt/format.h>

#include <future>

#include "conformance/bench/bench.hpp"
#include "conformance/bench/limits.hpp"
#include "conformance/bench/open_loop.hpp"
#include "conformance/bench/split_cores.hpp"

namespace causeway::bench {

namespace {

constexpr std::size_t sender_count = 128;
constexpr std::size_t reader_count = 20;
constexpr std::size_t reader_rooms = 50;
constexpr std::size_t modest_count = 20;
constexpr double modest_rate = 10;  // per second, each
// Where even so many are busy, what could not be sent is told.
constexpr std::size_t connections_of_a_user = 64, connections_of_the_greedy = 4096;
// 512 in all: as many writes as Causeway has under way at a time, unless configured otherwise.
constexpr std::size_t connections_for_capacity = 4;

// --- who asks for what -----------------------------------------------------------------------------------------------

std::string head(const Bench& bench, const ClientPtr& who, std::string_view method, const std::string& path) {
  return fmt::format("{} {} HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {}\r\n", method, path,
                     Target::parse(bench.options().url).host, who->token());
}

// Messages of 80 characters; `series` makes their transaction identifiers differ from those of others by this user.
Asker sending(const Bench& bench, const ClientPtr& who, const std::string& room_id, std::string_view series) {
  const std::string path = fmt::format("/_matrix/client/v3/rooms/{}/send/m.room.message/{}-{}-",
                                       percent_encode(room_id), bench.run(), series);
  const std::string body = R"({"msgtype":"m.text","body":")" + std::string(80, 'm') + "\"}";
  Asker asker;
  asker.request = head(bench, who, "PUT", path + std::string(number_width, '0'));
  asker.number_at = asker.request.find(path) + path.size();
  asker.request += fmt::format("Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{}", body.size(), body);
  return asker;
}

Asker reading(const Bench& bench, const ClientPtr& who) {
  return {head(bench, who, "GET", sync_path("", 0)) + "\r\n"};
}

struct Senders {
  std::vector<ClientPtr> users;
  std::vector<std::string> rooms;  // each has one of his own
};

Task<Senders> make_senders(Bench& bench, std::string_view name) {
  Senders senders;
  std::string prefix(name);
  senders.users = co_await bench.users(std::move(prefix), sender_count);
  for (const auto& user : senders.users)
    senders.rooms.push_back(co_await bench.room(user));
  co_return senders;
}

// `count` of them from the `first` on.
std::vector<Asker> askers(const Bench& bench, const Senders& senders, std::string_view series, std::size_t first = 0,
                          std::size_t count = sender_count) {
  std::vector<Asker> made;
  for (std::size_t i = first; i < first + count; ++i)
    made.push_back(sending(bench, senders.users[i], senders.rooms[i], series));
  return made;
}

// --- offering --------------------------------------------------------------------------------------------------------

std::future<std::vector<Outcome>> offer(Bench& bench, const SplitCores& cores, OpenLoop& loop,
                                        std::vector<Load> loads) {
  return std::async(std::launch::async, [&bench, &cores, &loop, loads = std::move(loads)] {
    cores.enter_free_core();
    return loop.offer(loads, bench.options().pid);
  });
}

std::string failures_of(const Outcome& outcome) {
  std::string text;
  for (const auto& [how, count] : outcome.failures)
    text += fmt::format("   {} x {}", count, how);
  if (outcome.hung_up > 0) text += fmt::format("   {} x hung up without a request", outcome.hung_up);
  return text;
}

void report_outcome(Bench& bench, std::string_view name, std::string_view label, double seconds,
                    const Outcome& outcome) {
  const auto per_second = [seconds](std::size_t count) { return static_cast<double>(count) / seconds; };
  bench.report(name, fmt::format("{:<12} {:>6.0f} /s offered  {:>6.0f} /s admitted  p50 {:7.2f} ms  p99 {:7.2f} ms  "
                                 "{:>6.0f} /s refused  p50 {:7.2f} ms  {:>6.0f} /s not sent{}",
                                 label, per_second(outcome.offered), per_second(outcome.admitted.size()),
                                 percentile(outcome.admitted, 0.5), percentile(outcome.admitted, 0.99),
                                 per_second(outcome.refused.size()), percentile(outcome.refused, 0.5),
                                 per_second(outcome.not_sent), failures_of(outcome)));
  const std::string p99 = fmt::format("p99, {}", label);
  bench.findings().note(name, fmt::format("admitted, {}", label), per_second(outcome.admitted.size()));
  if (outcome.admitted.empty())
    bench.findings().leave_out(name, p99, "nothing was admitted");
  else
    bench.findings().note(name, p99, percentile(outcome.admitted, 0.99));
  std::string costs =
      fmt::format("{:<12} load generator: p99 {:.2f} ms late, {:.0f} us CPU each", "", percentile(outcome.late, 0.99),
                  outcome.cpu_seconds * 1e6 / static_cast<double>(std::max<std::size_t>(outcome.sent(), 1)));
  if (bench.options().pid != 0) costs += fmt::format("; server: {:.2f} cores", outcome.server_cpu_seconds / seconds);
  bench.report("", costs);
}

// What is done per second when as many as the server likes ask, each after his last answer.
double measure_capacity(Bench& bench, const SplitCores& cores, std::string_view name, std::vector<Asker> who,
                        std::size_t connections_each) {
  const auto seconds = static_cast<double>(bench.options().seconds);
  bench.report(name, fmt::format("{}; {} connections, each after its last answer, find the capacity", cores.describe(),
                                 who.size() * connections_each));
  OpenLoop loop(Target::parse(bench.options().url), std::move(who), connections_each);
  const std::vector<Load> loads{{as_fast_as_answered, 1}, {as_fast_as_answered, seconds}};
  const Outcome outcome = offer(bench, cores, loop, loads).get().back();
  report_outcome(bench, name, "capacity", seconds, outcome);
  if (outcome.admitted.empty()) throw std::runtime_error(std::string(name) + ": nothing is admitted");
  return static_cast<double>(outcome.admitted.size()) / seconds;
}

// At half of capacity, at all of it and beyond; and then, without a pause, at half again.
void measure_steps(Bench& bench, const SplitCores& cores, std::string_view name, OpenLoop& loop, double capacity) {
  const auto seconds = static_cast<double>(bench.options().seconds);
  constexpr double warm_up = 2;
  for (const double times : {0.5, 1.0, 2.0, 5.0}) {
    std::vector<Load> loads{{times * capacity, warm_up}, {times * capacity, seconds}};
    if (times == 5) loads.insert(loads.end(), {{capacity / 2, 1}, {capacity / 2, seconds}});
    const auto outcomes = offer(bench, cores, loop, loads).get();
    report_outcome(bench, name, fmt::format("{} x", times), seconds, outcomes[1]);
    if (outcomes.size() == 2) continue;
    report_outcome(bench, name, "0.5 x, 1st s", 1, outcomes[2]);
    report_outcome(bench, name, "0.5 x, then", seconds, outcomes[3]);
  }
}

bool may_open(Bench& bench, std::string_view name, std::size_t connections) {
  const bool allowed = connections <= connections_allowed();
  if (!allowed) bench.leave_out(name, fmt::format("ulimit -n does not allow {} connections", connections));
  return allowed;
}

// --- the scenarios ---------------------------------------------------------------------------------------------------

Task<> overload(Bench& bench) {
  constexpr std::string_view name = "overload";
  if (!may_open(bench, name, sender_count * connections_of_a_user)) co_return;
  const Senders senders = co_await make_senders(bench, name);
  const SplitCores cores(bench.options().pid);
  const double capacity =
      measure_capacity(bench, cores, name, askers(bench, senders, "capacity"), connections_for_capacity);
  OpenLoop loop(Target::parse(bench.options().url), askers(bench, senders, "steps"), connections_of_a_user);
  measure_steps(bench, cores, name, loop, capacity);
}

// The first sender wants five times what the server can do, others next to nothing.
Task<> overload_greedy(Bench& bench) {
  constexpr std::string_view name = "overload_greedy";
  if (!may_open(bench, name, connections_of_the_greedy + modest_count * connections_of_a_user)) co_return;
  const Senders senders = co_await make_senders(bench, name);
  const SplitCores cores(bench.options().pid);
  const double capacity =
      measure_capacity(bench, cores, name, askers(bench, senders, "capacity"), connections_for_capacity);
  const Target target = Target::parse(bench.options().url);
  OpenLoop modest(target, askers(bench, senders, "modest", 1, modest_count), connections_of_a_user);
  OpenLoop greedy(target, askers(bench, senders, "greedy", 0, 1), connections_of_the_greedy);
  const auto seconds = static_cast<double>(bench.options().seconds);
  const double all_modest = modest_rate * modest_count;
  report_outcome(bench, name, "20 alone", seconds, offer(bench, cores, modest, {{all_modest, seconds}}).get().front());
  // The modest are measured while the greedy is at it, from before until after.
  const std::vector<Load> much{{5 * capacity, 1}, {5 * capacity, 1 + seconds}};
  const std::vector<Load> little{{all_modest, 1.5}, {all_modest, seconds}};
  auto of_greedy = offer(bench, cores, greedy, much), of_modest = offer(bench, cores, modest, little);
  report_outcome(bench, name, "20 beside it", seconds, of_modest.get().back());
  report_outcome(bench, name, "the greedy", 1 + seconds, of_greedy.get().back());
}

Task<> overload_reads(Bench& bench) {
  constexpr std::string_view name = "overload_reads";
  if (!may_open(bench, name, reader_count * connections_of_a_user)) co_return;
  std::string prefix(name);
  auto readers = co_await bench.users(std::move(prefix), reader_count);
  co_await bench.rooms_of_all(readers, reader_rooms);
  std::vector<Asker> first_syncs;
  for (const auto& reader : readers)
    first_syncs.push_back(reading(bench, reader));
  const SplitCores cores(bench.options().pid);
  const double capacity = measure_capacity(bench, cores, name, first_syncs, 1);
  OpenLoop loop(Target::parse(bench.options().url), std::move(first_syncs), connections_of_a_user);
  measure_steps(bench, cores, name, loop, capacity);
}

}  // namespace

std::vector<Scenario> overload_scenarios() {
  return {
      {"overload", "sends at 0.5 to 5 times capacity, and back", Stage::heavy, overload},
      {"overload_greedy", "one sender wants 5 times capacity, 20 others little", Stage::heavy, overload_greedy},
      {"overload_reads", "first /sync, 50 rooms of 20, at 0.5 to 5 times capacity, and back", Stage::heavy,
       overload_reads},
  };
}

}  // namespace causeway::bench
