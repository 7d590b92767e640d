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
  bench.report_rate("idle_sync", milliseconds_since(begin) / 1000, cpu, *latencies, "<= 0.05 ms CPU");
}

struct View {
  std::string_view label;
  std::string_view filter;
  std::string_view aim;
};

Task<> initial_syncs(std::string_view name, Bench& bench, ClientPtr who, std::vector<View> views) {
  for (const View& view : views) {
    const bool cold = bench.restart().has_value();
    who->hang_up();
    std::vector<double> times;
    std::size_t bytes = 0;
    for (int i = 0; i < 5; ++i) {
      const auto begin = Clock::now();
      std::string path = sync_path("", 0, std::string(view.filter));
      std::string reply = co_await who->request("GET", std::move(path));
      times.push_back(milliseconds_since(begin));
      bytes = reply.size();
    }
    bench.report(name,
                 fmt::format("{} {:6.1f} ms  best {:6.1f} ms  {:>9} bytes  ({})", cold ? "just restarted" : "first",
                             times.front(), *std::ranges::min_element(times), bytes, view.label),
                 view.aim);
  }
}

constexpr std::string_view lazy_1 = R"({"room":{"timeline":{"limit":1},"state":{"lazy_load_members":true}}})";
constexpr std::string_view lazy_20 = R"({"room":{"timeline":{"limit":20},"state":{"lazy_load_members":true}}})";
constexpr std::string_view full_100 = R"({"room":{"timeline":{"limit":100}}})";

// `who` in rooms of `members` users each.
Task<> fill_rooms(Bench& bench, ClientPtr who, std::string name, std::size_t rooms, std::size_t members) {
  auto all = co_await bench.users(std::move(name), members - 1);
  all.push_back(std::move(who));
  co_await bench.rooms_of_all(std::move(all), rooms);
}

Task<> initial_200(Bench& bench) {
  ClientPtr who = co_await bench.user("initial");
  co_await fill_rooms(bench, who, "initial-other", 200, 20);
  std::vector<View> views{
      {"lazy, limit 1", lazy_1, "< 60 ms"}, {"lazy, limit 20", lazy_20, ""}, {"full, limit 100", full_100, "< 120 ms"}};
  co_await initial_syncs("initial_200", bench, who, std::move(views));
}

Task<> initial_200x300(Bench& bench) {
  ClientPtr who = co_await bench.user("large");
  co_await fill_rooms(bench, who, "large-other", 200, 300);
  std::vector<View> views{{"lazy, limit 1", lazy_1, "< 250 ms warm, < 1 s cold"},
                          {"lazy, limit 20", lazy_20, "< 250 ms warm, < 1 s cold"}};
  co_await initial_syncs("initial_200x300", bench, who, std::move(views));
}

Task<> messages(Bench& bench) {
  ClientPtr who = co_await bench.user("pages");
  const std::string room_id = co_await bench.room(who);
  std::function<Task<>(std::size_t)> send = [&](std::size_t) { return bench.send_message(bench.twin(who), room_id); };
  co_await bench.each(1000, 16, std::move(send));
  std::size_t events = 0;
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
      const auto reply = json::parse_object(text).value();
      events += reply.at("chunk").as_array().size();
      const auto next = json::find_string(reply, "end");
      if (!next) break;
      from = *next;
    }
  }
  bench.report("messages", fmt::format("{:>7.0f} events/s, 100 a page", static_cast<double>(events) / in_server),
               "> 60,000/s");
}

}  // namespace

std::vector<Scenario> sync_scenarios() {
  return {
      {"idle_sync", "/sync with nothing new, in 50 rooms", true, idle_sync},
      {"initial_200", "first /sync of a user in 200 rooms of 20", true, initial_200},
      {"messages", "/messages through a room of 1,000", true, messages},
      {"initial_200x300", "first /sync of a user in 200 rooms of 300", false, initial_200x300},
  };
}

}  // namespace causeway::bench
