// What history costs on the disk.
#include <fmt/format.h>

#include "conformance/bench/bench.hpp"
#include "conformance/bench/limits.hpp"

namespace causeway::bench {

namespace {

Task<> growth(Bench& bench) {
  if (bench.options().database_url.empty()) {
    bench.report("growth", "left out: the database can't be reached");
    co_return;
  }
  // Rooms of 2, 20, 200 and 1,000 members, messages from four users in each.
  std::vector<std::string> rooms;
  std::vector<ClientPtr> senders;
  for (const std::size_t members : {2, 20, 200, 1000}) {
    auto owner = co_await bench.user("growth-" + std::to_string(members) + "-owner");
    rooms.push_back(co_await bench.room_of(owner, "growth-" + std::to_string(members), members));
    senders.push_back(owner);
  }
  const auto before = storage(bench.options().database_url);
  const auto count = static_cast<std::size_t>(bench.options().history);
  std::vector<ClientPtr> connections;
  for (std::size_t i = 0; i < 64; ++i)
    connections.push_back(bench.twin(senders[i % senders.size()]));
  const auto begin = Clock::now();
  std::vector<Task<>> tasks;
  auto worker = [](Bench* b, ClientPtr who, std::string room_id, std::size_t messages) -> Task<> {
    for (std::size_t i = 0; i < messages; ++i)
      co_await b->send_message(who, room_id);
  };
  for (std::size_t i = 0; i < connections.size(); ++i)
    tasks.push_back(worker(&bench, connections[i], rooms[i % rooms.size()], count / connections.size()));
  co_await bench.all(std::move(tasks));
  const double seconds = milliseconds_since(begin) / 1000;
  const auto after = storage(bench.options().database_url);
  const auto sent = static_cast<double>(count / connections.size() * connections.size());
  bench.report(
      "growth",
      fmt::format("{:.0f} messages at {:.0f}/s: {:.0f} bytes each in the database, {:.0f} of "
                  "write-ahead log",
                  sent, sent / seconds, (after.database - before.database) / sent, (after.log - before.log) / sent),
      "<= 2 x the raw JSON");
  for (const auto& [table, bytes] : after.tables) {
    const auto earlier = before.tables.find(table);
    const double each = (bytes - (earlier == before.tables.end() ? 0 : earlier->second)) / sent;
    if (each >= 1) bench.report("", fmt::format("{:>8.0f} bytes each in {}", each, table));
  }
  if (after.raw_json > before.raw_json)
    bench.report("", fmt::format("{:>8.0f} bytes of raw JSON each", (after.raw_json - before.raw_json) / sent));
}

}  // namespace

std::vector<Scenario> growth_scenarios() {
  return {{"growth", "bytes on the disk per message, by table", false, growth}};
}

}  // namespace causeway::bench
