// Measures a homeserver over its client-server API: any server that lets users register with the dummy stage.
//
// Figures are absolute for orientation and, where a database can be reached, ratios to what one client commits one by
// one into the same PostgreSQL in the same run.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <iostream>

#include "conformance/bench/bench.hpp"
#include "schema/crypto/crypto.hpp"

namespace causeway::bench {
namespace {

std::vector<Scenario> all_scenarios() {
  std::vector<Scenario> all;
  for (auto part : {send_scenarios, sync_scenarios, waiter_scenarios, federation_scenarios, overload_scenarios,
                    curve_scenarios, remote_join_scenarios, memory_scenarios, growth_scenarios, restart_scenarios})
    std::ranges::move(part(), std::back_inserter(all));
  std::ranges::stable_sort(all, {}, &Scenario::stage);
  return all;
}

bool is_chosen(const Options& options, const Scenario& scenario) {
  if (options.only.empty()) return options.all || scenario.is_usual();
  return std::ranges::find(options.only, scenario.name) != options.only.end();
}

// False if it failed, which another scenario may survive.
Task<bool> run_one(Bench& bench, Scenario scenario) {
  try {
    co_await scenario.run(bench);
    co_return true;
  } catch (const std::exception& failure) {
    bench.report(scenario.name, std::string("failed: ") + failure.what());
    bench.findings().leave_out(scenario.name, "", "the scenario failed");
    co_return false;
  }
}

// The number of scenarios that failed. An aim that is missed is no failure.
Task<int> run(Bench& bench) {
  const auto begin = Clock::now();
  co_await bench.measure_limits();
  int failed = 0;
  std::vector<std::string_view> names;
  for (const Scenario& scenario : all_scenarios()) {
    if (!is_chosen(bench.options(), scenario)) continue;
    names.push_back(scenario.name);
    const bool succeeded = co_await run_one(bench, scenario);
    if (!succeeded) ++failed;
  }
  fmt::print("\n{} in {:.1f} minutes\n{}", bench.options().url, milliseconds_since(begin) / 60'000,
             table_of_aims(bench.findings(), names));
  co_return failed;
}

std::string list_of_scenarios() {
  std::string text = "Scenarios, in the order they run (* only with --all or by name):\n";
  for (const Scenario& scenario : all_scenarios())
    text += "  " + std::string(scenario.name) + (scenario.is_usual() ? "" : " *") + ": " + std::string(scenario.about) +
            "\n";
  return text;
}

}  // namespace
}  // namespace causeway::bench

int main(int argc, char** argv) {
  using namespace causeway;
  crypto::initialise();
  bench::Options options;
  CLI::App app(
      "Measures a Matrix homeserver over its client-server API; tells which aims it meets. To miss one is no failure");
  app.option_defaults()->always_capture_default();
  app.add_option("--url", options.url, "Base URL of the client-server API (plain HTTP)");
  app.add_option("--tls-url", options.tls_url, "The same over TLS, for parked_tls");
  app.add_option("--other-url", options.other_url, "A second server, which federates with the first");
  app.add_option("--data", options.data_directory, "Causeway's data directory, to reach its embedded PostgreSQL");
  app.add_option("--database", options.database_url, "libpq connection string of the server's PostgreSQL");
  app.add_option("--control", options.control, "Command that stops or starts the server, given `stop` or `start`");
  app.add_option("--pid", options.pid,
                 "Process whose CPU time and memory, with its descendants', are reported, and which "
                 "the overload scenarios keep off one core");
  app.add_option("--other-pid", options.other_pid, "The second server's");
  app.add_option("--seconds", options.seconds, "Duration of each rate scenario");
  app.add_option("--idle", options.idle, "Connections of parked_plain and parked_tls");
  app.add_option("--history", options.history, "Messages of growth");
  app.add_option("--only", options.only, "These scenarios");
  app.add_flag("--all", options.all, "The long scenarios too, so that all aims are measured");
  app.footer(bench::list_of_scenarios());
  CLI11_PARSE(app, argc, argv);
  asio::io_context context{1};
  int status = 0;
  bench::Bench bench(context, std::move(options));
  spawn(context, bench::run(bench), [&status](std::exception_ptr error, int failed) {
    try {
      if (error) std::rethrow_exception(error);
      if (failed > 0) status = 1;
    } catch (const std::exception& failure) {
      std::cerr << "bench: " << failure.what() << "\n";
      status = 1;
    }
  });
  context.run();
  return status;
}
