// Measures a homeserver over its client-server API: any server that lets users register with the dummy stage.
//
// Figures are absolute for orientation and, where a database can be reached, ratios to what one client commits one by
// one into the same PostgreSQL in the same run.
#include <CLI/CLI.hpp>
#include <boost/asio/redirect_error.hpp>
#include <cstdio>
#include <iostream>

#include "conformance/bench/client.hpp"
#include "conformance/bench/limits.hpp"
#include "schema/crypto/crypto.hpp"
#include "schema/json/json.hpp"

namespace causeway::bench {
namespace {

using Clock = std::chrono::steady_clock;
using namespace std::chrono_literals;

struct Options {
  std::string url = "http://127.0.0.1:8008";
  std::string data_directory;
  std::string database_url;
  int pid = 0;
  int seconds = 5;
  std::string only;
};

double milliseconds_since(Clock::time_point begin) {
  return std::chrono::duration<double, std::milli>(Clock::now() - begin).count();
}

double percentile(std::vector<double> values, double p) {
  if (values.empty()) return 0;
  std::ranges::sort(values);
  return values[std::min(values.size() - 1, static_cast<std::size_t>(p * static_cast<double>(values.size())))];
}

class Bench {
 public:
  Bench(asio::io_context& context, Options options)
      : context_(context),
        options_(std::move(options)),
        target_(Target::parse(options_.url)),
        run_(crypto::random_token(6)) {
    std::ranges::transform(run_, run_.begin(), [](char c) { return static_cast<char>(std::tolower(c)); });
  }

  Task<> run() {
    measure_limits();
    if (chosen("send_1")) co_await sends("send_1", 1, 1);
    if (chosen("send_10")) co_await sends("send_10", 10, 1);
    if (chosen("send_64")) co_await sends("send_64", 64, 1);
    if (chosen("send_64x64")) co_await sends("send_64x64", 64, 64);
    if (chosen("wake_20")) co_await wake(20);
    if (chosen("idle_sync")) co_await idle_sync();
    if (chosen("initial_sync_200")) co_await initial_sync(200);
    if (chosen("messages")) co_await messages();
  }

 private:
  using ClientPtr = std::shared_ptr<Client>;

  bool chosen(std::string_view name) const { return options_.only.empty() || options_.only == name; }

  void measure_limits() {
    if (options_.database_url.empty() && !options_.data_directory.empty())
      options_.database_url = embedded_database_url(options_.data_directory);
    if (!options_.database_url.empty()) {
      commits_ = commits_per_second(options_.database_url, 3s);
      std::printf("%-18s %9.0f commits/s by one client on the same PostgreSQL\n", "limit", commits_);
    }
    std::printf("%-18s %9.0f Ed25519 signatures/s on one core\n", "limit", signatures_per_second());
  }

  Task<ClientPtr> user(std::string name) {
    auto client = std::make_shared<Client>(context_.get_executor(), target_);
    co_await client->log_in_fresh("bench-" + run_ + "-" + name);
    co_return client;
  }

  // A second connection of the same device's user.
  ClientPtr twin(const ClientPtr& of) {
    auto client = std::make_shared<Client>(context_.get_executor(), target_);
    client->use_token(of->token());
    return client;
  }

  Task<std::string> room(ClientPtr owner) {
    boost::json::object body{{"preset", "public_chat"}};
    auto reply = co_await owner->json("POST", "/_matrix/client/v3/createRoom", std::move(body));
    co_return std::string(reply.at("room_id").as_string());
  }

  Task<> join(ClientPtr who, std::string room_id) {
    co_await who->request("POST", "/_matrix/client/v3/join/" + percent_encode(room_id), "{}");
  }

  std::string send_path(const std::string& room_id, std::uint64_t transaction) const {
    return "/_matrix/client/v3/rooms/" + percent_encode(room_id) + "/send/m.room.message/" + run_ +
           std::to_string(transaction);
  }

  static std::string message() { return R"({"msgtype":"m.text","body":")" + std::string(80, 'm') + "\"}"; }

  Task<> send_for(ClientPtr who, std::string room_id, Clock::time_point end,
                  std::shared_ptr<std::vector<double>> latencies) {
    while (Clock::now() < end) {
      const auto begin = Clock::now();
      std::string path = send_path(room_id, ++transaction_);
      co_await who->request("PUT", std::move(path), message());
      latencies->push_back(milliseconds_since(begin));
    }
  }

  // Runs all tasks at once; resumes when the last has ended.
  Task<> all(std::vector<Task<>> tasks) {
    auto left = std::make_shared<std::size_t>(tasks.size());
    asio::steady_timer done(context_, Clock::time_point::max());
    std::exception_ptr failure;
    auto finished = [left, &done, &failure](std::exception_ptr error) {
      if (error && !failure) failure = error;
      if (--*left == 0) done.cancel();
    };
    for (auto& task : tasks)
      asio::co_spawn(context_, std::move(task), finished);
    boost::system::error_code ignored;
    if (*left > 0) co_await done.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
    if (failure) std::rethrow_exception(failure);
  }

  // `senders` users, each with a connection, over `rooms` rooms; the single room holds 64 members.
  Task<> sends(std::string name, std::size_t senders, std::size_t rooms) {
    const std::size_t members = rooms == 1 ? 64 : senders;
    std::vector<ClientPtr> users;
    for (std::size_t i = 0; i < members; ++i) {
      std::string user_name = name + "-" + std::to_string(i);
      users.push_back(co_await user(std::move(user_name)));
    }
    std::vector<std::string> room_ids;
    for (std::size_t i = 0; i < rooms; ++i)
      room_ids.push_back(co_await room(users[i]));
    if (rooms == 1)
      for (std::size_t i = 1; i < members; ++i)
        co_await join(users[i], room_ids[0]);
    auto latencies = std::make_shared<std::vector<double>>();
    const double cpu = cpu_seconds(options_.pid);
    const auto begin = Clock::now();
    const auto end = begin + std::chrono::seconds(options_.seconds);
    std::vector<Task<>> tasks;
    for (std::size_t i = 0; i < senders; ++i)
      tasks.push_back(send_for(users[i], room_ids[i % room_ids.size()], end, latencies));
    co_await all(std::move(tasks));
    report_rate(name, static_cast<double>(latencies->size()), milliseconds_since(begin) / 1000, cpu, *latencies);
  }

  void report_rate(const std::string& name, double count, double seconds, double cpu_before,
                   const std::vector<double>& latencies) {
    std::printf("%-18s %9.0f /s   p50 %6.2f ms  p99 %6.2f ms", name.c_str(), count / seconds,
                percentile(latencies, 0.5), percentile(latencies, 0.99));
    if (commits_ > 0) std::printf("   %5.2f x commits", count / seconds / commits_);
    if (options_.pid != 0) std::printf("   %6.3f ms CPU each", (cpu_seconds(options_.pid) - cpu_before) * 1000 / count);
    std::printf("\n");
    std::fflush(stdout);
  }

  static std::string sync_path(const std::string& since, int timeout_ms) {
    return "/_matrix/client/v3/sync?timeout=" + std::to_string(timeout_ms) +
           (since.empty() ? "" : "&since=" + percent_encode(since));
  }

  static std::string next_batch(const std::string& reply) {
    return std::string(json::parse_object(reply).value().at("next_batch").as_string());
  }

  // One waiter: long-polls and notes when each message reached it.
  Task<> wait_for_messages(ClientPtr who, std::string since, std::size_t count,
                           std::shared_ptr<std::map<std::string, Clock::time_point>> sent,
                           std::shared_ptr<std::vector<double>> latencies) {
    std::size_t got = 0;
    while (got < count) {
      std::string reply = co_await who->request("GET", sync_path(since, 10'000));
      const auto now = Clock::now();
      since = next_batch(reply);
      for (const auto& [body, when] : *sent) {
        if (reply.find(body) == std::string::npos) continue;
        latencies->push_back(std::chrono::duration<double, std::milli>(now - when).count());
        ++got;
      }
    }
  }

  Task<> send_steadily(ClientPtr who, std::string room_id, std::size_t count,
                       std::shared_ptr<std::map<std::string, Clock::time_point>> sent) {
    for (std::size_t i = 0; i < count; ++i) {
      const std::string body = "wake-" + run_ + "-" + std::to_string(1000 + i) + ".";
      (*sent)[body] = Clock::now();
      std::string path = send_path(room_id, ++transaction_);
      co_await who->request("PUT", std::move(path), R"({"msgtype":"m.text","body":")" + body + "\"}");
      asio::steady_timer pause(context_, 100ms);
      co_await pause.async_wait(asio::use_awaitable);
    }
  }

  Task<> wake(std::size_t waiters) {
    ClientPtr owner = co_await user("wake-owner");
    const std::string room_id = co_await room(owner);
    std::vector<Task<>> tasks;
    auto sent = std::make_shared<std::map<std::string, Clock::time_point>>();
    auto latencies = std::make_shared<std::vector<double>>();
    constexpr std::size_t count = 50;
    for (std::size_t i = 0; i < waiters; ++i) {
      std::string name = "wake-" + std::to_string(i);
      ClientPtr waiter = co_await user(std::move(name));
      co_await join(waiter, room_id);
      std::string first = co_await waiter->request("GET", sync_path("", 0));
      tasks.push_back(wait_for_messages(waiter, next_batch(first), count, sent, latencies));
    }
    tasks.push_back(send_steadily(owner, room_id, count, sent));
    co_await all(std::move(tasks));
    std::printf("%-18s %9zu waiters   p50 %6.2f ms  p99 %6.2f ms from PUT to the reply of /sync\n", "wake_20", waiters,
                percentile(*latencies, 0.5), percentile(*latencies, 0.99));
  }

  Task<> sync_for(ClientPtr who, std::string since, Clock::time_point end,
                  std::shared_ptr<std::vector<double>> latencies) {
    while (Clock::now() < end) {
      const auto begin = Clock::now();
      std::string path = sync_path(since, 0);
      std::string reply = co_await who->request("GET", std::move(path));
      latencies->push_back(milliseconds_since(begin));
    }
  }

  Task<> idle_sync() {
    ClientPtr who = co_await user("idle");
    for (int i = 0; i < 50; ++i)
      co_await room(who);
    std::string first = co_await who->request("GET", sync_path("", 0));
    const std::string since = next_batch(first);
    auto latencies = std::make_shared<std::vector<double>>();
    const double cpu = cpu_seconds(options_.pid);
    const auto begin = Clock::now();
    const auto end = begin + std::chrono::seconds(options_.seconds);
    std::vector<Task<>> tasks;
    for (int i = 0; i < 4; ++i)
      tasks.push_back(sync_for(twin(who), since, end, latencies));
    co_await all(std::move(tasks));
    report_rate("idle_sync", static_cast<double>(latencies->size()), milliseconds_since(begin) / 1000, cpu, *latencies);
  }

  Task<> initial_sync(std::size_t rooms) {
    ClientPtr who = co_await user("initial");
    ClientPtr other = co_await user("initial-other");
    for (std::size_t i = 0; i < rooms; ++i) {
      const std::string room_id = co_await room(other);
      co_await join(who, room_id);
      for (int n = 0; n < 5; ++n) {
        std::string path = send_path(room_id, ++transaction_);
        co_await other->request("PUT", std::move(path), message());
      }
    }
    for (const auto& [label, filter] :
         {std::pair<std::string, std::string>{
              "lazy, limit 1", R"({"room":{"timeline":{"limit":1},"state":{"lazy_load_members":true}}})"},
          {"lazy, limit 20", R"({"room":{"timeline":{"limit":20},"state":{"lazy_load_members":true}}})"},
          {"full, limit 100", R"({"room":{"timeline":{"limit":100}}})"}}) {
      std::vector<double> times;
      std::size_t bytes = 0;
      for (int i = 0; i < 5; ++i) {
        const auto begin = Clock::now();
        std::string reply = co_await who->request("GET", sync_path("", 0) + "&filter=" + percent_encode(filter));
        times.push_back(milliseconds_since(begin));
        bytes = reply.size();
      }
      std::printf("%-18s %9zu rooms   first %6.1f ms  best %6.1f ms  %8zu bytes  (%s)\n", "initial_sync_200", rooms,
                  times.front(), *std::ranges::min_element(times), bytes, label.c_str());
    }
  }

  Task<> messages() {
    ClientPtr who = co_await user("pages");
    const std::string room_id = co_await room(who);
    for (int i = 0; i < 1000; ++i) {
      std::string path = send_path(room_id, ++transaction_);
      co_await who->request("PUT", std::move(path), message());
    }
    std::size_t events = 0;
    const auto begin = Clock::now();
    while (Clock::now() - begin < 2s) {
      std::string from;
      for (int page = 0; page < 10; ++page) {
        const std::string path = "/_matrix/client/v3/rooms/" + percent_encode(room_id) + "/messages?dir=b&limit=100" +
                                 (from.empty() ? "" : "&from=" + percent_encode(from));
        std::string text = co_await who->request("GET", path);
        const auto reply = json::parse_object(text).value();
        events += reply.at("chunk").as_array().size();
        const auto end = json::find_string(reply, "end");
        if (!end) break;
        from = *end;
      }
    }
    std::printf("%-18s %9.0f events/s, 100 a page\n", "messages",
                static_cast<double>(events) / (milliseconds_since(begin) / 1000));
  }

  asio::io_context& context_;
  Options options_;
  Target target_;
  std::string run_;
  double commits_ = 0;
  std::uint64_t transaction_ = 0;
};

}  // namespace
}  // namespace causeway::bench

int main(int argc, char** argv) {
  using namespace causeway;
  crypto::initialise();
  bench::Options options;
  CLI::App app("Measures a Matrix homeserver over its client-server API");
  app.add_option("--url", options.url, "Base URL of the client-server API (plain HTTP)");
  app.add_option("--data", options.data_directory, "Causeway's data directory, to reach its embedded PostgreSQL");
  app.add_option("--database", options.database_url, "libpq connection string of the server's PostgreSQL");
  app.add_option("--pid", options.pid, "Process whose CPU time, with its descendants', is reported per operation");
  app.add_option("--seconds", options.seconds, "Duration of each rate scenario");
  app.add_option("--only", options.only, "One scenario");
  CLI11_PARSE(app, argc, argv);
  asio::io_context context{1};
  int status = 0;
  asio::co_spawn(
      context,
      [&]() -> Task<> {
        bench::Bench bench(context, options);
        co_await bench.run();
      },
      [&status](std::exception_ptr error) {
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
