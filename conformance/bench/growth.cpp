// What history costs on the disk.
#include <fmt/format.h>

#include "conformance/bench/bench.hpp"
#include "conformance/bench/limits.hpp"

namespace causeway::bench {

namespace {

// What `count` things added to the database, by table.
void report_growth(Bench& bench, std::string_view name, std::string_view thing, double count, double seconds,
                   const Storage& before, const Storage& after) {
  const double raw = after.raw_json - before.raw_json, grown = after.database - before.database;
  const double log = after.log - before.log;
  bench.findings().note(name, fmt::format("a {}", thing), grown / count);
  bench.findings().note(name, fmt::format("log of a {}", thing), log / count);
  if (raw > 0) bench.findings().note(name, fmt::format("JSON of a {}", thing), raw / count);
  std::string text = fmt::format("{:.0f} {}s at {:.0f}/s: {:.0f} bytes each in the database", count, thing,
                                 count / seconds, grown / count);
  if (raw > 0) text += fmt::format(", {:.2f} x the {:.0f} of raw JSON", grown / raw, raw / count);
  bench.report(name, text + fmt::format(", {:.0f} of write-ahead log", log / count));
  for (const auto& [table, bytes] : after.tables) {
    const auto earlier = before.tables.find(table);
    const double each = (bytes - (earlier == before.tables.end() ? 0 : earlier->second)) / count;
    if (each >= 1) bench.report("", fmt::format("{:>8.0f} bytes each in {}", each, table));
  }
}

bool can_be_measured(Bench& bench, std::string_view name) {
  if (bench.options().database_url.empty()) bench.leave_out(name, "the database can't be reached");
  return !bench.options().database_url.empty();
}

Task<> measure_messages(Bench& bench, std::string_view name, std::vector<OwnedRoom> rooms, std::size_t count) {
  const auto before = storage(bench.options().database_url);
  const auto begin = Clock::now();
  co_await bench.send_many(std::move(rooms), count);
  const double seconds = milliseconds_since(begin) / 1000;
  report_growth(bench, name, "message", static_cast<double>(count), seconds, before,
                storage(bench.options().database_url));
}

Task<> growth(Bench& bench) {
  if (!can_be_measured(bench, "growth")) co_return;
  std::vector<OwnedRoom> rooms;
  for (const std::size_t members : {2, 20, 200, 1000}) {
    auto owner = co_await bench.user("growth-" + std::to_string(members) + "-owner");
    std::string room_id = co_await bench.room_of(owner, "growth-" + std::to_string(members), members);
    rooms.push_back({std::move(room_id), std::move(owner)});
  }
  co_await measure_messages(bench, "growth", std::move(rooms), static_cast<std::size_t>(bench.options().history));
}

Task<> growth_10000(Bench& bench) {
  if (!can_be_measured(bench, "growth_10000")) co_return;
  constexpr std::size_t members = 10'000, messages = 100'000;
  auto owner = co_await bench.user("growth-10000-owner");
  std::string room_id = co_await bench.room(owner);
  auto others = co_await bench.users("growth-10000", members - 1);
  const auto before = storage(bench.options().database_url);
  const auto begin = Clock::now();
  std::function<Task<>(std::size_t)> enter = [&](std::size_t i) -> Task<> {
    co_await bench.join(others[i], room_id);
    others[i]->hang_up();
  };
  co_await bench.each(others.size(), 16, std::move(enter));
  report_growth(bench, "growth_10000", "membership", static_cast<double>(others.size()),
                milliseconds_since(begin) / 1000, before, storage(bench.options().database_url));
  std::vector<OwnedRoom> rooms;
  rooms.push_back({std::move(room_id), std::move(owner)});
  co_await measure_messages(bench, "growth_10000", std::move(rooms), messages);
}

}  // namespace

std::vector<Scenario> growth_scenarios() {
  return {
      {"growth", "bytes on the disk per message, by table, in rooms of 2 to 1,000", Stage::history, growth},
      {"growth_10000", "the same per membership and per message in a room of 10,000", Stage::history, growth_10000},
  };
}

}  // namespace causeway::bench
