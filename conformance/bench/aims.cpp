#include "conformance/bench/aims.hpp"

namespace causeway::bench {

namespace {

constexpr Bound reported() {
  return {};
}
constexpr Bound at_least(double figure) {
  return {Sense::at_least, figure, false};
}
constexpr Bound at_most(double figure) {
  return {Sense::at_most, figure, false};
}
constexpr Bound at_least_times(double times) {
  return {Sense::at_least, times, true};
}
constexpr Bound at_most_times(double times) {
  return {Sense::at_most, times, true};
}

constexpr Reference nothing;
constexpr Reference commits{"limit", "commits", "C", true};
constexpr Reference verifications{"limit", "verifications", "V", true};
constexpr Reference requests{"limit", "bare requests", "H", true};
constexpr Reference copying{"limit", "copied", "S"};
// A room is as good as a small one if its sends are like those of send_1, measured in the same run.
constexpr Reference small_room_rate{"send_1", "rate", "send_1", true};
constexpr Reference small_room_cpu{"send_1", "CPU", "send_1"};
constexpr Bound rate_of_small_room = at_least_times(0.8), cpu_of_small_room = at_most_times(1.2);
// Latency is flat, and recovery at once, if the slowest wait no longer than this many times as long.
constexpr Bound flat = at_most_times(2);

// MB are without PostgreSQL's processes; B are in its files. A time may take so many commits or bare requests. Only a
// start is held to seconds: what it waits for is PostgreSQL's own start, of which no limit is measured.
constexpr Aim aims[] = {
    {"start", "to first answer", "s", nothing, at_most(0.5)},
    {"memory_idle", "server alone", "MB", nothing, at_most(40)},
    {"memory_loaded", "server alone", "MB", nothing, at_most(128)},

    {"send_1", "rate", "/s", commits, at_least_times(0.5)},
    {"send_1", "CPU", "ms", requests, at_most_times(28)},
    {"send_1", "write-ahead log", "B", nothing, reported()},
    {"send_64", "rate", "/s", commits, at_least_times(2)},
    {"send_64", "CPU", "ms", requests, at_most_times(7)},
    {"send_64", "write-ahead log", "B", nothing, reported()},
    {"send_64x64", "rate", "/s", commits, at_least_times(2)},
    {"send_64x64", "CPU", "ms", requests, at_most_times(7)},
    {"send_room_500", "rate", "/s", small_room_rate, rate_of_small_room},
    {"send_room_500", "CPU", "ms", small_room_cpu, cpu_of_small_room},
    {"send_room_1000", "rate", "/s", small_room_rate, rate_of_small_room},
    {"send_room_1000", "CPU", "ms", small_room_cpu, cpu_of_small_room},
    {"send_room_10000", "rate", "/s", small_room_rate, rate_of_small_room},
    {"send_room_10000", "CPU", "ms", small_room_cpu, cpu_of_small_room},
    {"join_500", "rate", "/s", commits, at_least_times(0.2)},

    {"idle_sync", "CPU", "ms", requests, at_most_times(2)},
    // So many rooms, each read in the time of 24 bare requests: 48 with 100 messages of each. With 300 members in each,
    // 100; 400 if nothing of them is in memory yet.
    {"initial_50", "lazy, limit 1, warm", "ms", requests, at_most_times(50 * 24)},
    {"initial_50", "lazy, limit 1, bytes", "MB/s", copying, reported()},
    {"initial_200", "lazy, limit 1, warm", "ms", requests, at_most_times(200 * 24)},
    {"initial_200", "lazy, limit 1, bytes", "MB/s", copying, reported()},
    {"initial_200", "full, limit 100, warm", "ms", requests, at_most_times(200 * 48)},
    {"initial_200", "full, limit 100, bytes", "MB/s", copying, reported()},
    {"initial_200x300", "lazy, limit 1, cold", "ms", requests, at_most_times(200 * 400)},
    {"initial_200x300", "lazy, limit 1, warm", "ms", requests, at_most_times(200 * 100)},
    {"initial_200x300", "lazy, limit 20, cold", "ms", requests, at_most_times(200 * 400)},
    {"initial_200x300", "lazy, limit 20, warm", "ms", requests, at_most_times(200 * 100)},
    {"messages", "events", "/s", requests, at_least_times(0.7)},
    {"messages", "bytes", "MB/s", copying, reported()},

    {"wake_20", "p50", "ms", commits, at_most_times(10)},
    {"wake_20", "p99", "ms", commits, at_most_times(25)},
    {"wake_1000", "p99", "ms", requests, at_most_times(1'000 * 8)},
    {"parked_plain", "connections", "", nothing, at_least(20'000)},
    {"parked_plain", "memory each", "KiB", nothing, at_most(16)},
    {"parked_tls", "connections", "", nothing, at_least(20'000)},
    {"parked_tls", "memory each", "KiB", nothing, at_most(48)},

    {"fed_latency", "p50", "ms", commits, at_most_times(6)},
    {"fed_latency", "p99", "ms", commits, at_most_times(80)},
    {"fed_rate", "rate", "/s", verifications, at_least_times(0.1)},

    {"overload", "p99, 2 x", "ms", {"overload", "p99, 1 x", "at 1 x"}, flat},
    {"overload", "p99, 5 x", "ms", {"overload", "p99, 1 x", "at 1 x"}, flat},
    {"overload", "p99, 0.5 x, 1st s", "ms", {"overload", "p99, 0.5 x", "before"}, flat},
    {"overload", "admitted, 5 x", "/s", {"overload", "admitted, capacity", "capacity", true}, reported()},
    {"overload_greedy", "p99, 20 beside it", "ms", {"overload_greedy", "p99, 20 alone", "alone"}, reported()},
    {"overload_reads", "p99, 2 x", "ms", {"overload_reads", "p99, 1 x", "at 1 x"}, flat},
    {"overload_reads", "p99, 5 x", "ms", {"overload_reads", "p99, 1 x", "at 1 x"}, flat},
    {"overload_reads", "p99, 0.5 x, 1st s", "ms", {"overload_reads", "p99, 0.5 x", "before"}, flat},
    {"overload_reads", "admitted, 5 x", "/s", {"overload_reads", "admitted, capacity", "capacity", true}, reported()},

    {"growth", "a message", "B", nothing, at_most(3'000)},
    {"growth", "a message", "B", {"growth", "JSON of a message", "raw JSON"}, at_most_times(2)},
    {"growth", "log of a message", "B", nothing, reported()},
    {"growth_10000", "a message", "B", {"growth_10000", "JSON of a message", "raw JSON"}, at_most_times(2)},
    {"growth_10000", "a membership", "B", {"growth_10000", "JSON of a membership", "raw JSON"}, at_most_times(2)},
    {"start_grown", "to first answer", "s", nothing, at_most(1)},
};

}  // namespace

std::span<const Aim> all_aims() {
  return aims;
}

}  // namespace causeway::bench
