#include "conformance/bench/limits.hpp"

#include <sys/resource.h>
#include <unistd.h>

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/write.hpp>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <pqxx/pqxx>
#include <sstream>
#include <thread>

#include "schema/crypto/crypto.hpp"

namespace causeway::bench {

namespace asio = boost::asio;
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

struct Process {
  int id = 0;
  int parent = 0;
  std::string name;
  double cpu_seconds = 0;
};

Process read_process(int pid) {
  std::ifstream in("/proc/" + std::to_string(pid) + "/stat");
  std::string text((std::istreambuf_iterator<char>(in)), {});
  const auto open = text.find('('), close = text.rfind(')');
  if (close == std::string::npos) return {};
  Process process;
  process.id = pid;
  process.name = text.substr(open + 1, close - open - 1);
  // Fields 3 to 17 of proc(5).
  std::istringstream fields(text.substr(close + 2));
  std::vector<std::string> values(std::istream_iterator<std::string>(fields), {});
  if (values.size() < 15) return {};
  process.parent = std::stoi(values[1]);
  const double ticks = std::stod(values[11]) + std::stod(values[12]) + std::stod(values[13]) + std::stod(values[14]);
  process.cpu_seconds = ticks / static_cast<double>(sysconf(_SC_CLK_TCK));
  return process;
}

// The entries of a directory that are numbers; none if it has just gone.
std::vector<int> numbers_in(const std::string& directory) {
  std::vector<int> numbers;
  std::error_code gone;
  for (std::filesystem::directory_iterator at(directory, gone), end; !gone && at != end; at.increment(gone)) {
    const std::string name = at->path().filename();
    if (std::ranges::all_of(name, [](char c) { return c >= '0' && c <= '9'; })) numbers.push_back(std::stoi(name));
  }
  return numbers;
}

// The process and its descendants.
std::vector<Process> family(int pid) {
  std::map<int, Process> all;
  for (const int process : numbers_in("/proc"))
    all[process] = read_process(process);
  const auto belongs = [&](int process) {
    for (int hops = 0; process > 1 && hops < 32; ++hops) {
      if (process == pid) return true;
      const auto found = all.find(process);
      if (found == all.end()) return false;
      process = found->second.parent;
    }
    return false;
  };
  std::vector<Process> members;
  for (auto& [process, facts] : all)
    if (belongs(process)) members.push_back(std::move(facts));
  return members;
}

}  // namespace

std::vector<int> thread_ids(int pid) {
  std::vector<int> ids;
  for (const auto& process : family(pid))
    std::ranges::copy(numbers_in("/proc/" + std::to_string(process.id) + "/task"), std::back_inserter(ids));
  return ids;
}

double cpu_seconds(int pid) {
  double total = 0;
  if (pid != 0)
    for (const auto& process : family(pid))
      total += process.cpu_seconds;
  return total;
}

namespace {

// Pages that several processes have count in parts: Causeway's privileged half is the other's copy.
double share_of_memory(int pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/smaps_rollup");
  for (std::string word; file >> word;) {
    if (word != "Pss:") continue;
    double kibibytes = 0;
    file >> kibibytes;
    return kibibytes * 1024;
  }
  return 0;
}

}  // namespace

double memory_bytes(int pid) {
  double total = 0;
  if (pid != 0)
    for (const auto& process : family(pid))
      if (process.name != "postgres") total += share_of_memory(process.id);
  return total;
}

namespace {

// The table and column with the events' JSON, of the servers that are known here.
void read_events(pqxx::nontransaction& now, Storage& storage) {
  const auto column_exists = [&now](const char* table, const char* type) {
    return !now.exec_params(
                   "select from information_schema.columns "
                   "where table_name = $1 and column_name = 'json' and data_type = $2",
                   table, type)
                .empty();
  };
  const char* totals = nullptr;
  if (column_exists("events", "bytea"))
    totals = "select coalesce(sum(octet_length(json)), 0), count(*) from events";
  else if (column_exists("event_json", "text"))
    totals = "select coalesce(sum(octet_length(json)), 0), count(*) from event_json";
  if (!totals) return;
  const auto row = now.exec1(totals);
  storage.raw_json = row[0].as<double>();
  storage.events = row[1].as<double>();
}

}  // namespace

double log_bytes(const std::string& database_url) {
  if (database_url.empty()) return 0;
  pqxx::connection connection(database_url);
  pqxx::nontransaction now(connection);
  return now.exec1("select pg_current_wal_insert_lsn() - '0/0'")[0].as<double>();
}

std::size_t connections_allowed() {
  constexpr rlim_t other_files = 1'200;  // the server's, for its database and other servers, and what else is open here
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  return static_cast<std::size_t>(limit.rlim_cur - std::min(limit.rlim_cur, other_files));
}

Storage storage(const std::string& database_url) {
  pqxx::connection connection(database_url);
  pqxx::nontransaction now(connection);
  Storage storage;
  storage.database = now.exec1("select pg_database_size(current_database())")[0].as<double>();
  storage.log = log_bytes(database_url);
  for (const auto& row : now.exec("select relname, pg_total_relation_size(oid) from pg_class "
                                  "where relkind = 'r' and relnamespace = 'public'::regnamespace"))
    storage.tables[row[0].as<std::string>()] = row[1].as<double>();
  read_events(now, storage);
  return storage;
}

namespace {

constexpr std::chrono::milliseconds crypto_time{500};

// Calls per second of something that only computes.
template <class Call>
double rate_of(Call call) {
  const auto begin = Clock::now();
  double count = 0;
  for (; Clock::now() - begin < crypto_time; ++count)
    call();
  return count / std::chrono::duration<double>(Clock::now() - begin).count();
}

// Each piece is a reply of usual length.
constexpr std::size_t piece = 64 << 10;
constexpr std::chrono::milliseconds copy_time{500};

void write_for_a_while(asio::ip::tcp::socket& socket) {
  const std::string bytes(piece, 'x');
  for (const auto end = Clock::now() + copy_time; Clock::now() < end;)
    asio::write(socket, asio::buffer(bytes));
  socket.shutdown(asio::ip::tcp::socket::shutdown_send);
}

}  // namespace

double copied_megabytes_per_second() {
  asio::io_context context;
  asio::ip::tcp::acceptor acceptor(context, {asio::ip::address_v4::loopback(), 0});
  asio::ip::tcp::socket from(context), to(context);
  from.connect(acceptor.local_endpoint());
  acceptor.accept(to);
  const auto begin = Clock::now();
  std::jthread writer([&from] { write_for_a_while(from); });
  std::string buffer(piece, '\0');
  double bytes = 0;
  boost::system::error_code ended;
  while (!ended)
    bytes += static_cast<double>(to.read_some(asio::buffer(buffer), ended));
  return bytes / 1e6 / std::chrono::duration<double>(Clock::now() - begin).count();
}

double signatures_per_second() {
  const auto key = crypto::SigningKey::generate("ed25519:bench");
  const std::string message(400, 'm');
  return rate_of([&] { key.sign(message); });
}

double verifications_per_second() {
  const auto key = crypto::SigningKey::generate("ed25519:bench");
  const std::string message(400, 'm'), signature = key.sign(message), public_key = key.public_key();
  return rate_of([&] { crypto::verify(public_key, message, signature); });
}

}  // namespace causeway::bench
