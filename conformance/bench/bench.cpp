#include "conformance/bench/bench.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>

#include "conformance/bench/limits.hpp"
#include "schema/crypto/crypto.hpp"
#include "schema/json/json.hpp"

namespace causeway::bench {

using namespace std::chrono_literals;

double milliseconds_since(Clock::time_point begin) {
  return std::chrono::duration<double, std::milli>(Clock::now() - begin).count();
}

double percentile(std::vector<double> values, double p) {
  if (values.empty()) return 0;
  std::ranges::sort(values);
  return values[std::min(values.size() - 1, static_cast<std::size_t>(p * static_cast<double>(values.size())))];
}

std::string sync_path(const std::string& since, int timeout_ms, const std::string& filter) {
  std::string path = "/_matrix/client/v3/sync?timeout=" + std::to_string(timeout_ms);
  if (!since.empty()) path += "&since=" + percent_encode(since);
  if (!filter.empty()) path += "&filter=" + percent_encode(filter);
  return path;
}

std::string next_batch(const std::string& reply) {
  return std::string(json::parse_object(reply).value().at("next_batch").as_string());
}

Bench::Bench(asio::io_context& context, Options options)
    : context_(context),
      options_(std::move(options)),
      target_(Target::parse(options_.url)),
      run_(crypto::random_token(6)) {
  std::ranges::transform(run_, run_.begin(), [](char c) { return static_cast<char>(std::tolower(c)); });
}

std::string server_of(const std::string& user) {
  return user.substr(user.find(':') + 1);
}

Task<> Bench::measure_limits() {
  if (options_.database_url.empty() && !options_.data_directory.empty())
    options_.database_url = embedded_database_url(options_.data_directory);
  if (!options_.database_url.empty()) {
    commits_ = commits_per_second(options_.database_url, 3s);
    findings_.note("limit", "commits", commits_);
    report("limit", fmt::format("{:.0f} commits/s by one client on the same PostgreSQL", commits_));
  }
  verifications_ = verifications_per_second();
  findings_.note("limit", "verifications", verifications_);
  report("limit", fmt::format("{:.0f} Ed25519 signatures/s and {:.0f} verifications/s on one core",
                              signatures_per_second(), verifications_));
  const double copied = copied_megabytes_per_second();
  findings_.note("limit", "copied", copied);
  report("limit", fmt::format("{:.0f} MB/s through a TCP connection to this machine", copied));
  co_await measure_bare_requests();
  findings_.note("limit", "bare requests", bare_requests_);
  report("limit", fmt::format("{:.0f} GET /versions per second, 64 connections", bare_requests_));
}

Task<> Bench::measure_bare_requests() {
  const auto begin = Clock::now();
  const auto end = begin + 2s;
  auto count = std::make_shared<double>(0);
  auto ask = [](std::shared_ptr<Client> client, Clock::time_point until, std::shared_ptr<double> asked) -> Task<> {
    for (; Clock::now() < until; ++*asked)
      co_await client->request("GET", "/_matrix/client/versions");
  };
  std::vector<Task<>> tasks;
  for (int i = 0; i < 64; ++i)
    tasks.push_back(ask(std::make_shared<Client>(context_.get_executor(), target_), end, count));
  co_await all(std::move(tasks));
  bare_requests_ = *count * 1000 / milliseconds_since(begin);
}

std::optional<double> Bench::restart() {
  if (options_.control.empty()) return std::nullopt;
  if (std::system((options_.control + " stop").c_str()) != 0) throw std::runtime_error("the server did not stop");
  const auto begin = Clock::now();
  FILE* starting = popen((options_.control + " start").c_str(), "r");
  int pid = 0;
  const bool started = starting && std::fscanf(starting, "%d", &pid) == 1;
  const double seconds = milliseconds_since(begin) / 1000;
  if (starting) pclose(starting);
  if (!started) throw std::runtime_error("the server did not start");
  options_.pid = pid;
  if (!options_.data_directory.empty()) options_.database_url = embedded_database_url(options_.data_directory);
  return seconds;
}

// --- users and rooms -----------------------------------------------------------------------------------------------

Task<ClientPtr> Bench::user(std::string name) {
  auto client = std::make_shared<Client>(context_.get_executor(), target_);
  co_await client->log_in_fresh("bench-" + run_ + "-" + name);
  co_return client;
}

Task<ClientPtr> Bench::user_elsewhere(std::string name) {
  auto client = std::make_shared<Client>(context_.get_executor(), Target::parse(options_.other_url));
  co_await client->log_in_fresh("bench-" + run_ + "-" + name);
  co_return client;
}

Task<std::vector<ClientPtr>> Bench::users(std::string name, std::size_t count) {
  std::vector<ClientPtr> made(count);
  std::function<Task<>(std::size_t)> make = [this, &made, name](std::size_t i) -> Task<> {
    std::string own = name + "-" + std::to_string(i);
    made[i] = co_await user(std::move(own));
    if (made.size() > 1000) made[i]->hang_up();
  };
  co_await each(count, 16, std::move(make));
  co_return made;
}

ClientPtr Bench::twin(const ClientPtr& of) {
  auto client = std::make_shared<Client>(context_.get_executor(), of->target());
  client->use_token(of->token());
  return client;
}

Task<std::string> Bench::room(ClientPtr owner) {
  boost::json::object body{{"preset", "public_chat"}};
  auto reply = co_await owner->json("POST", "/_matrix/client/v3/createRoom", std::move(body));
  co_return std::string(reply.at("room_id").as_string());
}

Task<> Bench::join(ClientPtr who, std::string room_id, std::string via) {
  std::string path = "/_matrix/client/v3/join/" + percent_encode(room_id);
  if (!via.empty()) path += "?via=" + percent_encode(via) + "&server_name=" + percent_encode(via);
  co_await who->request("POST", std::move(path), "{}");
}

Task<std::string> Bench::room_of(ClientPtr owner, std::string name, std::size_t count) {
  const std::string room_id = co_await room(owner);
  auto others = co_await users(std::move(name), count - 1);
  std::function<Task<>(std::size_t)> enter = [this, &others, room_id](std::size_t i) -> Task<> {
    co_await join(others[i], room_id);
    others[i]->hang_up();
  };
  co_await each(others.size(), 8, std::move(enter));
  co_return room_id;
}

Task<> Bench::rooms_of_all(std::vector<ClientPtr> members, std::size_t count) {
  std::function<Task<>(std::size_t)> fill = [this, &members](std::size_t) -> Task<> {
    auto owner = twin(members.front());
    const std::string room_id = co_await room(owner);
    for (std::size_t i = 1; i < members.size(); ++i)
      co_await join(twin(members[i]), room_id);
    for (int n = 0; n < 5; ++n)
      co_await send_message(owner, room_id);
  };
  co_await each(count, 8, std::move(fill));
}

Task<std::string> Bench::send(ClientPtr who, std::string room_id, std::string body) {
  std::string path = "/_matrix/client/v3/rooms/" + percent_encode(room_id) + "/send/m.room.message/" + run_ +
                     std::to_string(++transaction_);
  co_return co_await who->request("PUT", std::move(path), R"({"msgtype":"m.text","body":")" + body + "\"}");
}

Task<> Bench::send_message(ClientPtr who, std::string room_id) {
  std::string body(80, 'm');
  co_await send(std::move(who), std::move(room_id), std::move(body));
}

Task<> Bench::send_many(std::vector<OwnedRoom> rooms, std::size_t count) {
  constexpr std::size_t at_once = 64;
  auto send = [](Bench* bench, ClientPtr who, std::string room_id, std::size_t messages) -> Task<> {
    for (std::size_t i = 0; i < messages; ++i)
      co_await bench->send_message(who, room_id);
  };
  std::vector<Task<>> tasks;
  for (std::size_t i = 0; i < at_once; ++i) {
    const std::size_t share = count / at_once + (i < count % at_once ? 1 : 0);
    const OwnedRoom& room = rooms[i % rooms.size()];
    tasks.push_back(send(this, twin(room.owner), room.id, share));
  }
  co_await all(std::move(tasks));
}

Task<std::string> Bench::position(ClientPtr who) {
  std::string path = sync_path("", 0, R"({"room":{"timeline":{"limit":1},"state":{"lazy_load_members":true}}})");
  std::string reply = co_await who->request("GET", std::move(path));
  co_return next_batch(reply);
}

Task<> Bench::all(std::vector<Task<>> tasks) {
  if (tasks.empty()) co_return;
  auto left = std::make_shared<std::size_t>(tasks.size());
  asio::steady_timer done(context_, Clock::time_point::max());
  std::exception_ptr failure;
  auto finished = [left, &done, &failure](std::exception_ptr error) {
    if (error && !failure) failure = error;
    if (--*left == 0) done.cancel();
  };
  for (auto& task : tasks)
    spawn(context_, std::move(task), finished);
  if (*left > 0) co_await expiry(done);
  if (failure) std::rethrow_exception(failure);
}

Task<> Bench::each(std::size_t count, std::size_t at_once, std::function<Task<>(std::size_t)> job) {
  auto next = std::make_shared<std::size_t>(0);
  auto worker = [](std::shared_ptr<std::size_t> at, std::size_t end,
                   std::function<Task<>(std::size_t)> work) -> Task<> {
    while (*at < end)
      co_await work((*at)++);
  };
  std::vector<Task<>> workers;
  for (std::size_t i = 0; i < std::min(count, at_once); ++i)
    workers.push_back(worker(next, count, job));
  co_await all(std::move(workers));
}

// --- the report ----------------------------------------------------------------------------------------------------

void Bench::report(std::string_view scenario, const std::string& measured) {
  fmt::print("{:<18} {}\n", scenario, measured);
  std::fflush(stdout);
}

void Bench::report_rate(std::string_view scenario, double seconds, double cpu_before,
                        const std::vector<double>& latencies) {
  const auto count = static_cast<double>(latencies.size());
  const double rate = count / seconds, p50 = percentile(latencies, 0.5), p99 = percentile(latencies, 0.99);
  std::string text = fmt::format("{:>7.0f} /s   p50 {:6.2f} ms  p99 {:6.2f} ms", rate, p50, p99);
  findings_.note(scenario, "rate", rate);
  if (commits_ > 0) text += fmt::format("   {:5.2f} x commits", rate / commits_);
  if (options_.pid != 0) {
    const double cpu = (cpu_seconds(options_.pid) - cpu_before) * 1000 / count;
    text += fmt::format("   {:6.3f} ms CPU each", cpu);
    findings_.note(scenario, "CPU", cpu);
  } else {
    findings_.leave_out(scenario, "CPU", "no --pid");
  }
  report(scenario, text);
}

void Bench::leave_out(std::string_view scenario, const std::string& why) {
  report(scenario, "left out: " + why);
  findings_.leave_out(scenario, "", why);
}

}  // namespace causeway::bench
