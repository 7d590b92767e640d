// How what an operation costs grows: with a room's members, with its history, and with a user's rooms.
#include <fmt/format.h>

#include "conformance/bench/bench.hpp"
#include "conformance/bench/limits.hpp"

namespace causeway::bench {

namespace {

struct Cost {
  double milliseconds = 0;  // the median
  double cpu = 0;           // milliseconds each
};

using Operation = std::function<Task<>()>;

// One after the other, for as long as any scenario measures a rate.
Task<Cost> cost_of(Bench& bench, Operation operation) {
  std::vector<double> latencies;
  const double cpu = cpu_seconds(bench.options().pid);
  const auto end = Clock::now() + std::chrono::seconds(bench.options().seconds);
  while (Clock::now() < end) {
    const auto begin = Clock::now();
    co_await operation();
    latencies.push_back(milliseconds_since(begin));
  }
  Cost cost;
  cost.milliseconds = percentile(latencies, 0.5);
  cost.cpu = (cpu_seconds(bench.options().pid) - cpu) * 1000 / static_cast<double>(latencies.size());
  co_return cost;
}

void report_cost(Bench& bench, std::string_view name, std::size_t size, std::string_view of, std::string_view what,
                 const Cost& cost) {
  bench.report(name, fmt::format("{:>7} {:<9} {:<18} p50 {:8.3f} ms  {:8.3f} ms CPU", size, of, what, cost.milliseconds,
                                 cost.cpu));
}

Operation sending(Bench& bench, const ClientPtr& who, const std::string& room_id) {
  return [&bench, who, room_id] { return bench.send_message(who, room_id); };
}

Operation getting(const ClientPtr& who, const std::string& path) {
  return [who, path]() -> Task<> {
    std::string own = path;
    co_await who->request("GET", std::move(own));
  };
}

Operation first_sync(const ClientPtr& who) {
  return getting(who, sync_path("", 0, R"({"room":{"timeline":{"limit":20},"state":{"lazy_load_members":true}}})"));
}

Operation newest_page(const ClientPtr& who, const std::string& room_id) {
  return getting(who, "/_matrix/client/v3/rooms/" + percent_encode(room_id) + "/messages?dir=b&limit=20");
}

// `size` counts what `of` names.
Task<> report_room(Bench& bench, std::string_view name, std::size_t size, std::string_view of, ClientPtr owner,
                   std::string room_id) {
  report_cost(bench, name, size, of, "send", co_await cost_of(bench, sending(bench, owner, room_id)));
  report_cost(bench, name, size, of, "first sync, lazy", co_await cost_of(bench, first_sync(owner)));
  report_cost(bench, name, size, of, "page of 20", co_await cost_of(bench, newest_page(owner, room_id)));
}

Task<> curve_members(Bench& bench) {
  constexpr std::string_view name = "curve_members";
  auto owner = co_await bench.user("curve-members-owner");
  const std::string room_id = co_await bench.room(owner);
  std::size_t members = 1;
  for (const std::size_t size : {std::size_t{100}, std::size_t{1'000}, std::size_t{10'000}}) {
    auto others = co_await bench.users(fmt::format("curve-members-{}", size), size - members);
    std::function<Task<>(std::size_t)> enter = [&](std::size_t i) -> Task<> {
      co_await bench.join(others[i], room_id);
      others[i]->hang_up();
    };
    co_await bench.each(others.size(), 8, std::move(enter));
    members = size;
    co_await report_room(bench, name, size, "members", owner, room_id);
  }
}

Task<> curve_history(Bench& bench) {
  constexpr std::string_view name = "curve_history";
  auto owner = co_await bench.user("curve-history-owner");
  const std::string room_id = co_await bench.room(owner);
  std::size_t messages = 0;
  for (const std::size_t size : {std::size_t{1'000}, std::size_t{10'000}, std::size_t{100'000}}) {
    std::vector<OwnedRoom> rooms(1, OwnedRoom{room_id, owner});
    co_await bench.send_many(std::move(rooms), size - messages);
    messages = size;
    co_await report_room(bench, name, size, "messages", owner, room_id);
  }
}

Task<> curve_rooms(Bench& bench) {
  constexpr std::string_view name = "curve_rooms";
  auto owner = co_await bench.user("curve-rooms-owner");
  std::string room_id;
  std::size_t rooms = 0;
  for (const std::size_t size : {std::size_t{10}, std::size_t{100}, std::size_t{1'000}}) {
    for (; rooms < size; ++rooms)
      room_id = co_await bench.room(owner);
    report_cost(bench, name, size, "rooms", "send", co_await cost_of(bench, sending(bench, owner, room_id)));
    const std::string idle = sync_path(co_await bench.position(owner), 0);
    report_cost(bench, name, size, "rooms", "sync, nothing new", co_await cost_of(bench, getting(owner, idle)));
    report_cost(bench, name, size, "rooms", "first sync, lazy", co_await cost_of(bench, first_sync(owner)));
  }
}

}  // namespace

std::vector<Scenario> curve_scenarios() {
  return {
      {"curve_members", "what operations cost in a room of 100, 1,000 and 10,000 members", Stage::heavy, curve_members},
      {"curve_history", "the same in a room with 1,000, 10,000 and 100,000 messages", Stage::heavy, curve_history},
      {"curve_rooms", "the same for a user in 10, 100 and 1,000 rooms", Stage::heavy, curve_rooms},
  };
}

}  // namespace causeway::bench
