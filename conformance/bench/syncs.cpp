// Reading: /sync from the start and with nothing new, and history.
#include <fmt/format.h>

#include <algorithm>

#include "conformance/bench/bench.hpp"
#include "conformance/bench/limits.hpp"
#include "schema/json/json.hpp"

namespace causeway::bench {

namespace {

using namespace std::chrono_literals;

Task<> sync_until(ClientPtr who, std::string since, Clock::time_point end, Latencies latencies) {
  while (Clock::now() < end) {
    const auto begin = Clock::now();
    std::string path = sync_path(since, 0);
    co_await who->request("GET", std::move(path));
    latencies->push_back(milliseconds_since(begin));
  }
}

Task<> idle_sync(Bench& bench) {
  ClientPtr who = co_await bench.user("idle");
  for (int i = 0; i < 50; ++i)
    co_await bench.room(who);
  const std::string since = co_await bench.position(who);
  auto latencies = std::make_shared<std::vector<double>>();
  const double cpu = cpu_seconds(bench.options().pid);
  const auto begin = Clock::now();
  const auto end = begin + std::chrono::seconds(bench.options().seconds);
  std::vector<Task<>> tasks;
  for (int i = 0; i < 4; ++i)
    tasks.push_back(sync_until(bench.twin(who), since, end, latencies));
  co_await bench.all(std::move(tasks));
  bench.report_rate("idle_sync", milliseconds_since(begin) / 1000, cpu, *latencies);
}

struct View {
  std::string_view label;
  std::string_view filter;
};

enum class Before { nothing, restart };

// The first is cold where the server was restarted for it; the others are warm.
Task<> initial_sync(Bench& bench, std::string_view name, ClientPtr who, View view, Before before) {
  const bool cold = before == Before::restart && bench.restart().has_value();
  who->hang_up();
  std::vector<double> times;
  std::size_t bytes = 0;
  for (int i = 0; i < 6; ++i) {
    const auto begin = Clock::now();
    std::string path = sync_path("", 0, std::string(view.filter));
    std::string reply = co_await who->request("GET", std::move(path));
    times.push_back(milliseconds_since(begin));
    bytes = reply.size();
  }
  const double first = times.front(), warm = percentile({times.begin() + 1, times.end()}, 0.5);
  bench.report(name, fmt::format("{} {:6.1f} ms  then {:6.1f} ms  {:>9} bytes  ({})", cold ? "just restarted" : "first",
                                 first, warm, bytes, view.label));
  const std::string label(view.label);
  bench.findings().note(name, label + ", warm", warm);
  bench.findings().note(name, label + ", bytes", static_cast<double>(bytes) / 1000 / warm);  // MB/s
  if (cold)
    bench.findings().note(name, label + ", cold", first);
  else
    bench.findings().leave_out(name, label + ", cold", "no --control to restart it by");
}

Task<> initial_syncs(Bench& bench, std::string_view name, ClientPtr who, std::vector<View> views, Before before) {
  for (const View& view : views)
    co_await initial_sync(bench, name, who, view, before);
}

constexpr View lazy_1{"lazy, limit 1", R"({"room":{"timeline":{"limit":1},"state":{"lazy_load_members":true}}})"};
constexpr View lazy_20{"lazy, limit 20", R"({"room":{"timeline":{"limit":20},"state":{"lazy_load_members":true}}})"};
constexpr View full_100{"full, limit 100", R"({"room":{"timeline":{"limit":100}}})"};

// Of a user in so many rooms of so many members.
Task<> initial_syncs_in(Bench& bench, std::string_view name, std::size_t rooms, std::size_t members,
                        std::vector<View> views, Before before = Before::nothing) {
  std::string prefix(name);
  auto all = co_await bench.users(std::move(prefix), members);
  const ClientPtr who = all.back();
  co_await bench.rooms_of_all(std::move(all), rooms);
  co_await initial_syncs(bench, name, who, std::move(views), before);
}

Task<> initial_50(Bench& bench) {
  std::vector<View> views{lazy_1};
  co_await initial_syncs_in(bench, "initial_50", 50, 20, std::move(views));
}
Task<> initial_200(Bench& bench) {
  std::vector<View> views{lazy_1, lazy_20, full_100};
  co_await initial_syncs_in(bench, "initial_200", 200, 20, std::move(views));
}
Task<> initial_200_cold(Bench& bench) {
  std::vector<View> views{lazy_1, lazy_20, full_100};
  co_await initial_syncs_in(bench, "initial_200_cold", 200, 20, std::move(views), Before::restart);
}
Task<> initial_200x300(Bench& bench) {
  std::vector<View> views{lazy_1, lazy_20};
  co_await initial_syncs_in(bench, "initial_200x300", 200, 300, std::move(views), Before::restart);
}

Task<> messages(Bench& bench) {
  ClientPtr who = co_await bench.user("pages");
  const std::string room_id = co_await bench.room(who);
  std::function<Task<>(std::size_t)> send = [&](std::size_t) { return bench.send_message(bench.twin(who), room_id); };
  co_await bench.each(1000, 16, std::move(send));
  std::size_t events = 0, bytes = 0;
  double in_server = 0;
  const auto end = Clock::now() + 2s;
  while (Clock::now() < end) {
    std::string from;
    for (int page = 0; page < 10; ++page) {
      std::string path = "/_matrix/client/v3/rooms/" + percent_encode(room_id) + "/messages?dir=b&limit=100" +
                         (from.empty() ? "" : "&from=" + percent_encode(from));
      const auto begin = Clock::now();
      std::string text = co_await who->request("GET", std::move(path));
      in_server += milliseconds_since(begin) / 1000;
      bytes += text.size();
      const auto reply = json::parse_object(text).value();
      events += reply.at("chunk").as_array().size();
      const auto next = json::find_string(reply, "end");
      if (!next) break;
      from = *next;
    }
  }
  const double rate = static_cast<double>(events) / in_server;
  const double megabytes = static_cast<double>(bytes) / 1e6 / in_server;
  bench.findings().note("messages", "events", rate);
  bench.findings().note("messages", "bytes", megabytes);
  bench.report("messages", fmt::format("{:>7.0f} events/s, {:.1f} MB/s, 100 a page", rate, megabytes));
}

}  // namespace

std::vector<Scenario> sync_scenarios() {
  return {
      {"idle_sync", "/sync with nothing new, in 50 rooms", Stage::load, idle_sync},
      {"initial_50", "first /sync of a user in 50 rooms of 20", Stage::load, initial_50},
      {"initial_200", "first /sync of a user in 200 rooms of 20", Stage::load, initial_200},
      {"messages", "/messages through a room of 1,000", Stage::load, messages},
      {"initial_200_cold", "as initial_200, the server just restarted", Stage::restarts, initial_200_cold},
      {"initial_200x300", "first /sync of a user in 200 rooms of 300, just restarted and then", Stage::restarts,
       initial_200x300},
  };
}

}  // namespace causeway::bench
