// Sending messages: from one and many senders, in small and large rooms.
#include <fmt/format.h>

#include "conformance/bench/bench.hpp"
#include "conformance/bench/limits.hpp"

namespace causeway::bench {

namespace {

Task<> send_until(Bench& bench, ClientPtr who, std::string room_id, Clock::time_point end, Latencies latencies) {
  while (Clock::now() < end) {
    const auto begin = Clock::now();
    co_await bench.send_message(who, room_id);
    latencies->push_back(milliseconds_since(begin));
  }
}

Task<> measure(Bench& bench, std::string_view name, std::vector<ClientPtr> senders, std::vector<std::string> rooms) {
  auto latencies = std::make_shared<std::vector<double>>();
  const double cpu = cpu_seconds(bench.options().pid), log = log_bytes(bench.options().database_url);
  const auto begin = Clock::now();
  const auto end = begin + std::chrono::seconds(bench.options().seconds);
  std::vector<Task<>> tasks;
  for (std::size_t i = 0; i < senders.size(); ++i)
    tasks.push_back(send_until(bench, senders[i], rooms[i % rooms.size()], end, latencies));
  co_await bench.all(std::move(tasks));
  bench.report_rate(name, milliseconds_since(begin) / 1000, cpu, *latencies);
  if (bench.options().database_url.empty()) {
    bench.findings().leave_out(name, "write-ahead log", "the database can't be reached");
    co_return;
  }
  const double each = (log_bytes(bench.options().database_url) - log) / static_cast<double>(latencies->size());
  bench.findings().note(name, "write-ahead log", each);
  bench.report("", fmt::format("{:>7.0f} bytes of write-ahead log each", each));
}

// The first `senders` of 64 members.
Task<> in_one_room(Bench& bench, std::string_view name, std::size_t senders) {
  auto members = co_await bench.users(std::string(name), 64);
  const std::string room_id = co_await bench.room(members.front());
  std::function<Task<>(std::size_t)> enter = [&](std::size_t i) { return bench.join(members[i + 1], room_id); };
  co_await bench.each(members.size() - 1, 8, std::move(enter));
  members.resize(senders);
  std::vector<std::string> rooms(1, room_id);
  co_await measure(bench, name, std::move(members), std::move(rooms));
}

Task<> send_1(Bench& bench) {
  co_await in_one_room(bench, "send_1", 1);
}
Task<> send_10(Bench& bench) {
  co_await in_one_room(bench, "send_10", 10);
}
Task<> send_64(Bench& bench) {
  co_await in_one_room(bench, "send_64", 64);
}

Task<> send_64x64(Bench& bench) {
  auto senders = co_await bench.users("send_64x64", 64);
  std::vector<std::string> rooms;
  for (const auto& sender : senders)
    rooms.push_back(co_await bench.room(sender));
  co_await measure(bench, "send_64x64", std::move(senders), std::move(rooms));
}

Task<> in_large_room(Bench& bench, std::string_view name, std::size_t members) {
  auto owner = co_await bench.user(std::string(name));
  const auto begin = Clock::now();
  std::string prefix(name);
  std::string room_id = co_await bench.room_of(owner, std::move(prefix), members);
  bench.report(name, fmt::format("{:>7.0f} users/s registered and joined",
                                 static_cast<double>(members) / (milliseconds_since(begin) / 1000)));
  std::vector<ClientPtr> senders(1, owner);
  std::vector<std::string> rooms(1, std::move(room_id));
  co_await measure(bench, name, std::move(senders), std::move(rooms));
}

Task<> send_room_500(Bench& bench) {
  co_await in_large_room(bench, "send_room_500", 500);
}
Task<> send_room_1000(Bench& bench) {
  co_await in_large_room(bench, "send_room_1000", 1'000);
}
Task<> send_room_10000(Bench& bench) {
  co_await in_large_room(bench, "send_room_10000", 10'000);
}

Task<> join_500(Bench& bench) {
  auto owner = co_await bench.user("join-owner");
  const std::string room_id = co_await bench.room(owner);
  auto users = co_await bench.users("join_500", 500);
  auto latencies = std::make_shared<std::vector<double>>();
  const double cpu = cpu_seconds(bench.options().pid);
  const auto begin = Clock::now();
  std::function<Task<>(std::size_t)> enter = [&](std::size_t i) -> Task<> {
    const auto asked = Clock::now();
    co_await bench.join(users[i], room_id);
    latencies->push_back(milliseconds_since(asked));
  };
  co_await bench.each(users.size(), 8, std::move(enter));
  bench.report_rate("join_500", milliseconds_since(begin) / 1000, cpu, *latencies);
}

}  // namespace

std::vector<Scenario> send_scenarios() {
  return {
      {"send_1", "one sender after the other's reply, a room of 64", Stage::load, send_1},
      {"send_10", "10 senders in a room of 64", Stage::load, send_10},
      {"send_64", "64 senders in a room of 64", Stage::load, send_64},
      {"send_64x64", "64 senders in a room of their own each", Stage::load, send_64x64},
      {"join_500", "500 users join one room, 8 at once", Stage::load, join_500},
      {"send_room_500", "one sender in a room of 500", Stage::load, send_room_500},
      {"send_room_1000", "one sender in a room of 1,000", Stage::heavy, send_room_1000},
      {"send_room_10000", "one sender in a room of 10,000", Stage::heavy, send_room_10000},
  };
}

}  // namespace causeway::bench
