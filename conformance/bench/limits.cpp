#include "conformance/bench/limits.hpp"

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <pqxx/pqxx>
#include <sstream>

#include "schema/crypto/crypto.hpp"

namespace causeway::bench {

using Clock = std::chrono::steady_clock;

double commits_per_second(const std::string& database_url, std::chrono::seconds duration) {
  pqxx::connection connection(database_url);
  pqxx::nontransaction now(connection);
  now.exec("create table if not exists bench_commits (id bigint generated always as identity primary key, body bytea)");
  connection.prepare("one", "insert into bench_commits (body) values ($1)");
  const pqxx::binarystring row(std::string(570, 'x'));
  const auto begin = Clock::now();
  double count = 0;
  while (Clock::now() - begin < duration) {
    now.exec_prepared("one", row);
    ++count;
  }
  const double seconds = std::chrono::duration<double>(Clock::now() - begin).count();
  now.exec("drop table bench_commits");
  return count / seconds;
}

std::string embedded_database_url(const std::string& data_directory) {
  std::ifstream in(data_directory + "/postgres.socket");
  std::string directory;
  in >> directory;
  return directory.empty() ? "" : "host=" + directory + " user=causeway dbname=causeway";
}

namespace {

struct ProcessTimes {
  int parent = 0;
  double seconds = 0;
};

ProcessTimes read_times(int pid) {
  std::ifstream in("/proc/" + std::to_string(pid) + "/stat");
  std::string text((std::istreambuf_iterator<char>(in)), {});
  const auto close = text.rfind(')');
  if (close == std::string::npos) return {};
  std::istringstream fields(text.substr(close + 2));
  std::string state;
  long skip = 0, user = 0, system = 0, waited_user = 0, waited_system = 0;
  ProcessTimes times;
  fields >> state >> times.parent;
  for (int i = 0; i < 9; ++i)
    fields >> skip;
  fields >> user >> system >> waited_user >> waited_system;
  const auto ticks = static_cast<double>(sysconf(_SC_CLK_TCK));
  times.seconds = static_cast<double>(user + system + waited_user + waited_system) / ticks;
  return times;
}

}  // namespace

double cpu_seconds(int pid) {
  if (pid == 0) return 0;
  std::map<int, ProcessTimes> all;
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    const std::string name = entry.path().filename();
    if (std::ranges::all_of(name, [](char c) { return c >= '0' && c <= '9'; }))
      all[std::stoi(name)] = read_times(std::stoi(name));
  }
  const auto belongs = [&](int process) {
    for (int hops = 0; process > 1 && hops < 32; ++hops) {
      if (process == pid) return true;
      const auto found = all.find(process);
      if (found == all.end()) return false;
      process = found->second.parent;
    }
    return false;
  };
  double total = 0;
  for (const auto& [process, times] : all)
    if (belongs(process)) total += times.seconds;
  return total;
}

double signatures_per_second() {
  crypto::initialise();
  const auto key = crypto::SigningKey::generate("ed25519:bench");
  const std::string message(400, 'm');
  const auto begin = Clock::now();
  double count = 0;
  while (Clock::now() - begin < std::chrono::milliseconds(500)) {
    key.sign(message);
    ++count;
  }
  return count / std::chrono::duration<double>(Clock::now() - begin).count();
}

}  // namespace causeway::bench
