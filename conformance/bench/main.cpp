// Measures a homeserver over its client-server API: any server that lets users register with the dummy stage.
//
// Figures are absolute for orientation and, where a database can be reached, ratios to what one client commits one by
// one into the same PostgreSQL in the same run.
#include <CLI/CLI.hpp>
#include <iostream>

#include "conformance/bench/bench.hpp"
#include "schema/crypto/crypto.hpp"

namespace causeway::bench {
namespace {

std::vector<Scenario> all_scenarios() {
  std::vector<Scenario> all;
  for (auto part : {send_scenarios, sync_scenarios, waiter_scenarios, federation_scenarios, remote_join_scenarios,
                    growth_scenarios, curve_scenarios, restart_scenarios, overload_scenarios})
    std::ranges::move(part(), std::back_inserter(all));
  return all;
}

bool is_chosen(const Options& options, const Scenario& scenario) {
  if (options.only.empty()) return options.all || scenario.usual;
  return std::ranges::find(options.only, scenario.name) != options.only.end();
}

Task<> run(Bench& bench) {
  co_await bench.measure_limits();
  for (const Scenario& scenario : all_scenarios())
    if (is_chosen(bench.options(), scenario)) co_await scenario.run(bench);
}

std::string list_of_scenarios() {
  std::string text = "Scenarios (* only with --all or by name):\n";
  for (const Scenario& scenario : all_scenarios())
    text +=
        "  " + std::string(scenario.name) + (scenario.usual ? "" : " *") + ": " + std::string(scenario.about) + "\n";
  return text;
}

}  // namespace
}  // namespace causeway::bench

int main(int argc, char** argv) {
  using namespace causeway;
  crypto::initialise();
  bench::Options options;
  CLI::App app("Measures a Matrix homeserver over its client-server API");
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
  app.add_flag("--all", options.all, "The long scenarios too");
  app.footer(bench::list_of_scenarios());
  CLI11_PARSE(app, argc, argv);
  asio::io_context context{1};
  int status = 0;
  bench::Bench bench(context, std::move(options));
  asio::co_spawn(context, bench::run(bench), [&status](std::exception_ptr error) {
    try {
      if (error) std::rethrow_exception(error);
    } catch (const std::exception& failure) {
      std::cerr << "bench: " << failure.what() << "\n";
      status = 1;
    }
  });
  context.run();
  return status;
}
