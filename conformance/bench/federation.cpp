// From one server to another.
#include <fmt/format.h>

#include <algorithm>

#include "conformance/bench/bench.hpp"
#include "conformance/bench/limits.hpp"

namespace causeway::bench {

namespace {

using namespace std::chrono_literals;

struct SharedRoom {
  std::string id;
  std::vector<ClientPtr> here;
  ClientPtr there;
  std::string since;  // of `there`
};

Task<SharedRoom> shared_room(Bench& bench, std::string name, std::size_t senders) {
  SharedRoom room;
  room.here = co_await bench.users(name, senders);
  room.id = co_await bench.room(room.here.front());
  for (std::size_t i = 1; i < senders; ++i)
    co_await bench.join(room.here[i], room.id);
  room.there = co_await bench.user_elsewhere(name + "-there");
  co_await bench.join(room.there, room.id, server_of(room.here.front()->user()));
  room.since = co_await bench.position(room.there);
  co_return room;
}

Task<> fed_latency(Bench& bench) {
  auto room = co_await shared_room(bench, "fed_latency", 1);
  std::vector<double> latencies;
  for (int i = 0; i < 100; ++i) {
    const std::string body = "across-" + bench.run() + "-" + std::to_string(1000 + i) + ".";
    const auto begin = Clock::now();
    co_await bench.send(room.here.front(), room.id, body);
    for (bool seen = false; !seen;) {
      std::string path = sync_path(room.since, 10'000);
      std::string reply = co_await room.there->request("GET", std::move(path));
      room.since = next_batch(reply);
      seen = reply.find(body) != std::string::npos;
    }
    latencies.push_back(milliseconds_since(begin));
  }
  const double p50 = percentile(latencies, 0.5), p99 = percentile(latencies, 0.99);
  std::string text = fmt::format("p50 {:6.2f} ms  p99 {:6.2f} ms from PUT here to /sync there", p50, p99);
  if (bench.commits() > 0) text += fmt::format("   p50 {:.1f} / C", p50 * bench.commits() / 1000);
  bench.findings().note("fed_latency", "p50", p50);
  bench.findings().note("fed_latency", "p99", p99);
  bench.report("fed_latency", text);
}

Task<> send_some(Bench& bench, ClientPtr who, std::string room_id, std::string body, Clock::time_point end,
                 std::shared_ptr<std::size_t> sent) {
  while (Clock::now() < end) {
    co_await bench.send(who, room_id, body);
    ++*sent;
  }
}

std::size_t count_of(const std::string& text, const std::string& word) {
  std::size_t count = 0;
  for (auto at = text.find(word); at != std::string::npos; at = text.find(word, at + word.size()))
    ++count;
  return count;
}

// Counts arrivals until nothing more comes for a while; the time is that of the last.
Task<> count_arrivals(SharedRoom* room, std::string body, Clock::time_point until, std::size_t* arrived,
                      Clock::time_point* last) {
  const std::string filter = R"({"room":{"timeline":{"limit":5000}}})";
  while (Clock::now() < until || milliseconds_since(*last) < 2000) {
    std::string path = sync_path(room->since, 1'000, filter);
    std::string reply = co_await room->there->request("GET", std::move(path));
    room->since = next_batch(reply);
    const std::size_t got = count_of(reply, body);
    if (got > 0) *last = Clock::now();
    *arrived += got;
  }
}

Task<> fed_rate(Bench& bench) {
  auto room = co_await shared_room(bench, "fed_rate", 64);
  const std::string body = "rate-" + bench.run() + std::string(68, 'm');
  auto sent = std::make_shared<std::size_t>(0);
  std::size_t arrived = 0;
  const auto begin = Clock::now();
  auto last = begin;
  const auto end = begin + std::chrono::seconds(bench.options().seconds);
  const double cpu_here = cpu_seconds(bench.options().pid), cpu_there = cpu_seconds(bench.options().other_pid);
  std::vector<Task<>> tasks;
  for (const auto& sender : room.here)
    tasks.push_back(send_some(bench, sender, room.id, body, end, sent));
  tasks.push_back(count_arrivals(&room, body, end, &arrived, &last));
  co_await bench.all(std::move(tasks));
  const double seconds = std::chrono::duration<double>(last - begin).count();
  const double rate = static_cast<double>(arrived) / seconds;
  std::string text = fmt::format(
      "{:>7.0f} /s   {} sent here, {} arrived there, the last after {:.1f} s   {:.2f} x the "
      "signature checks of one core",
      rate, *sent, arrived, seconds, rate / bench.verifications());
  if (bench.options().other_pid != 0 && arrived > 0)
    text += fmt::format("   {:.3f} + {:.3f} ms CPU each",
                        (cpu_seconds(bench.options().pid) - cpu_here) * 1000 / static_cast<double>(arrived),
                        (cpu_seconds(bench.options().other_pid) - cpu_there) * 1000 / static_cast<double>(arrived));
  bench.findings().note("fed_rate", "rate", rate);
  bench.report("fed_rate", text);
}

Task<> if_there_is_another(Bench& bench, std::string_view name, Task<> (*scenario)(Bench&)) {
  if (bench.options().other_url.empty())
    bench.leave_out(name, "no --other-url");
  else
    co_await scenario(bench);
}

Task<> latency_scenario(Bench& bench) {
  co_await if_there_is_another(bench, "fed_latency", fed_latency);
}
Task<> rate_scenario(Bench& bench) {
  co_await if_there_is_another(bench, "fed_rate", fed_rate);
}

}  // namespace

std::vector<Scenario> federation_scenarios() {
  return {
      {"fed_latency", "a message sent here, seen by /sync on the second server", Stage::load, latency_scenario},
      {"fed_rate", "64 senders here, one room, until all has arrived there", Stage::load, rate_scenario},
  };
}

}  // namespace causeway::bench
