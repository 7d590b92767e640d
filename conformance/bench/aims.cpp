#include "conformance/bench/aims.hpp"

namespace causeway::bench {

namespace {

constexpr Bound reported() {
  return {};
}
constexpr Bound at_least(double figure) {
  return {Sense::at_least, figure, 0};
}
constexpr Bound at_most(double figure) {
  return {Sense::at_most, figure, 0};
}
constexpr Bound at_least_times(double times) {
  return {Sense::at_least, 0, times};
}
constexpr Bound at_most_times(double times) {
  return {Sense::at_most, 0, times};
}
constexpr Bound at_least_or_times(double figure, double times) {
  return {Sense::at_least, figure, times};
}

constexpr Reference nothing;
constexpr Reference commits{"limit", "commits", "C", true};
constexpr Reference verifications{"limit", "verifications", "V", true};
constexpr Reference requests{"limit", "bare requests", "H", true};
// A room is as good as a small one if its sends are like those of send_1, measured in the same run.
constexpr Reference small_room_rate{"send_1", "rate", "send_1", true};
constexpr Reference small_room_cpu{"send_1", "CPU", "send_1"};
constexpr Bound rate_of_small_room = at_least_times(0.8), cpu_of_small_room = at_most_times(1.2);
// Latency is flat, and recovery at once, if the slowest wait no longer than this many times as long.
constexpr Bound flat = at_most_times(2);

// MB are without PostgreSQL's processes; B are in its files.
constexpr Aim aims[] = {
    {"start", "to first answer", "s", nothing, at_most(0.5)},
    {"memory_idle", "server alone", "MB", nothing, at_most(40)},
    {"memory_loaded", "server alone", "MB", nothing, at_most(128)},

    {"send_1", "rate", "/s", commits, at_least_times(0.5)},
    {"send_1", "CPU", "ms", verifications, at_most(0.35)},
    {"send_1", "write-ahead log", "B", nothing, reported()},
    {"send_64", "rate", "/s", commits, at_least_or_times(5'000, 2)},
    {"send_64", "CPU", "ms", verifications, at_most(0.15)},
    {"send_64", "write-ahead log", "B", nothing, reported()},
    {"send_64x64", "rate", "/s", commits, at_least(5'000)},
    {"send_room_500", "rate", "/s", small_room_rate, rate_of_small_room},
    {"send_room_500", "CPU", "ms", small_room_cpu, cpu_of_small_room},
    {"send_room_1000", "rate", "/s", small_room_rate, rate_of_small_room},
    {"send_room_1000", "CPU", "ms", small_room_cpu, cpu_of_small_room},
    {"send_room_10000", "rate", "/s", small_room_rate, rate_of_small_room},
    {"send_room_10000", "CPU", "ms", small_room_cpu, cpu_of_small_room},
    {"join_500", "rate", "/s", commits, at_least(1'000)},

    {"idle_sync", "CPU", "ms", requests, at_most(0.05)},
    {"initial_50", "lazy, limit 1, warm", "ms", requests, at_most(15)},
    {"initial_200", "lazy, limit 1, warm", "ms", requests, at_most(60)},
    {"initial_200", "full, limit 100, warm", "ms", requests, at_most(120)},
    {"initial_200x300", "lazy, limit 1, cold", "ms", requests, at_most(1'000)},
    {"initial_200x300", "lazy, limit 1, warm", "ms", requests, at_most(250)},
    {"initial_200x300", "lazy, limit 20, cold", "ms", requests, at_most(1'000)},
    {"initial_200x300", "lazy, limit 20, warm", "ms", requests, at_most(250)},
    {"messages", "events", "/s", requests, at_least(60'000)},

    {"wake_20", "p50", "ms", commits, at_most(4)},
    {"wake_20", "p99", "ms", commits, at_most(10)},
    {"wake_1000", "p99", "ms", requests, at_most(100)},
    {"parked_plain", "connections", "", nothing, at_least(20'000)},
    {"parked_plain", "memory each", "KiB", nothing, at_most(16)},
    {"parked_tls", "connections", "", nothing, at_least(20'000)},
    {"parked_tls", "memory each", "KiB", nothing, at_most(48)},

    {"fed_latency", "p99", "ms", commits, at_most(15)},
    {"fed_rate", "rate", "/s", verifications, at_least(2'000)},

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
