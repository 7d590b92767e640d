#include "schema/db/database.hpp"

#include <poll.h>

#include <algorithm>
#include <array>
#include <condition_variable>
#include <future>
#include <mutex>
#include <thread>

#include "schema/db/connection_url.hpp"
#include "schema/db/share.hpp"
#include "schema/matrix/assert.hpp"

// libpqxx 6.4 marks as deprecated what only version 7 replaces.
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"

namespace causeway::db {

namespace {

constexpr int max_transaction_attempts = 5;

bool may_succeed_when_repeated(const pqxx::sql_error& error) {
  const std::string& state = error.sqlstate();
  return state == "40001" || state == "40P01";  // serialization failure, deadlock
}

// SQLSTATE classes in which the server goes away or refuses everyone: 57P01..57P03, 53300.
bool server_is_leaving(const pqxx::sql_error& error) {
  const std::string& state = error.sqlstate();
  return state.starts_with("57P") || state == "53300";
}

void append_hex(std::string& out, std::string_view data) {
  static constexpr char digits[] = "0123456789abcdef";
  for (unsigned char c : data) {
    out += digits[c >> 4];
    out += digits[c & 15];
  }
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return c - 'A' + 10;
}

template <class Range>
std::string bytea_array_of(const Range& values) {
  std::string out = "{";
  for (const auto& value : values) {
    if (out.size() > 1) out += ',';
    out += "\"\\\\x";
    append_hex(out, value);
    out += '"';
  }
  out += '}';
  return out;
}

}  // namespace

Connection::Connection(const std::string& url, std::atomic<std::uint64_t>* round_trips)
    : connection_(std::make_unique<pqxx::connection>(with_deadlines(url))), round_trips_(round_trips) {
  // A broken connection is replaced as a whole; libpqxx must not reconnect behind our back.
  connection_->inhibit_reactivation(true);
}

Connection::~Connection() = default;

void Connection::limit_statements(std::chrono::milliseconds time) {
  connection_->set_variable("statement_timeout", std::to_string(time.count()));
}

bool Connection::healthy() const {
  return connection_ && connection_->is_open();
}

pqxx::result Connection::exec_parameters(const char* sql, const std::vector<Parameter>& parameters) {
  try {
    auto [it, fresh] = prepared_.try_emplace(sql);
    if (fresh) {
      it->second = "s" + std::to_string(++prepared_ever_);
      try {
        connection_->prepare(it->second, sql);
      } catch (...) {
        prepared_.erase(it);
        throw;
      }
    }
    if (round_trips_) round_trips_->fetch_add(1, std::memory_order_relaxed);
    std::optional<pqxx::nontransaction> autocommit;
    if (!transaction_) autocommit.emplace(*connection_);
    pqxx::transaction_base& in = transaction_ ? *transaction_ : *autocommit;
    auto invocation = in.prepared(it->second);
    std::vector<pqxx::binarystring> binaries;
    binaries.reserve(parameters.size());
    for (const Parameter& parameter : parameters) {
      switch (parameter.kind) {
        case Parameter::Kind::null:
          invocation();
          break;
        case Parameter::Kind::text:
          invocation(parameter.text);
          break;
        case Parameter::Kind::binary:
          binaries.emplace_back(parameter.binary.data(), parameter.binary.size());
          invocation(binaries.back());
          break;
      }
    }
    return invocation.exec();
  } catch (const pqxx::broken_connection& error) {
    throw OutcomeUnknown(error.what());
  } catch (const pqxx::sql_error& error) {
    if (server_is_leaving(error)) throw OutcomeUnknown(error.what());
    throw;
  } catch (const pqxx::failure& error) {
    // libpqxx has more than one way of saying that the connection is gone.
    if (!connection_->is_open()) throw OutcomeUnknown(error.what());
    throw;
  }
}

void Connection::forget_prepared() {
  for (const auto& [sql, name] : prepared_)
    connection_->unprepare(name);
  prepared_.clear();
}

void Connection::transaction(const std::function<void(Connection&)>& body) {
  CAUSEWAY_ASSERT(!transaction_);
  struct Reset {
    std::unique_ptr<pqxx::transaction_base>& held;
    ~Reset() { held.reset(); }
  };
  for (int attempt = 1;; ++attempt) {
    try {
      Reset reset{transaction_};
      transaction_ = std::make_unique<pqxx::work>(*connection_);
      if (round_trips_) round_trips_->fetch_add(2, std::memory_order_relaxed);
      body(*this);
      transaction_->commit();
      return;
    } catch (const pqxx::broken_connection& error) {
      throw OutcomeUnknown(error.what());
    } catch (const pqxx::in_doubt_error& error) {
      throw OutcomeUnknown(error.what());
    } catch (const pqxx::sql_error& error) {
      if (!may_succeed_when_repeated(error) || attempt == max_transaction_attempts) throw;
    }
  }
}

void Connection::exec_script(const std::string& sql) {
  try {
    if (round_trips_) round_trips_->fetch_add(1, std::memory_order_relaxed);
    if (transaction_) {
      transaction_->exec(sql);
    } else {
      pqxx::nontransaction autocommit(*connection_);
      autocommit.exec(sql);
    }
  } catch (const pqxx::broken_connection& error) {
    throw OutcomeUnknown(error.what());
  }
}

std::string int_array(std::span<const std::int64_t> values) {
  std::string out = "{";
  for (std::int64_t value : values) {
    if (out.size() > 1) out += ',';
    out += std::to_string(value);
  }
  out += '}';
  return out;
}

std::string bytea_array(std::span<const std::string> values) {
  return bytea_array_of(values);
}
std::string bytea_array(std::span<const std::string_view> values) {
  return bytea_array_of(values);
}

std::string read_bytes(const pqxx::field& field) {
  std::string_view text(field.c_str(), field.size());
  CAUSEWAY_ASSERT(text.empty() || text.starts_with("\\x"));
  std::string out;
  if (text.empty()) return out;
  text.remove_prefix(2);
  out.reserve(text.size() / 2);
  for (std::size_t i = 0; i + 1 < text.size(); i += 2)
    out += static_cast<char>(hex_digit(text[i]) << 4 | hex_digit(text[i + 1]));
  return out;
}

std::vector<std::int64_t> read_ints(const pqxx::field& field) {
  std::vector<std::int64_t> out;
  if (field.is_null()) return out;
  const char* at = field.c_str();
  const char* const end = at + field.size();
  while (at < end) {
    if (*at == '-' || (*at >= '0' && *at <= '9')) {
      char* next = nullptr;
      out.push_back(std::strtoll(at, &next, 10));
      at = next;
    } else {
      ++at;
    }
  }
  return out;
}

// Of two connections and more one is never used for heavy work, and no share of that gets more than half.
struct Database::Impl {
  using Clock = std::chrono::steady_clock;
  struct Queued {
    Job job;
    Clock::time_point deadline;
    std::uint64_t number = 0;
  };
  struct Line {
    std::deque<Queued> queue;
    unsigned running = 0;
  };

  Impl(Settings s, std::atomic<std::uint64_t>& trips) : settings(std::move(s)), round_trips(trips) {
    for (unsigned i = 0; i < settings.connections; ++i)
      threads.emplace_back([this] { work(); });
  }

  ~Impl() {
    {
      std::lock_guard lock(mutex);
      stopping = true;
    }
    ready.notify_all();
    for (auto& thread : threads)
      thread.join();
  }

  void work() {
    std::unique_ptr<Connection> connection;
    std::string why = "not connected yet";
    Queued next;
    while (Line* line = take(next)) {
      run(next, connection, why);
      next.job = nullptr;
      std::lock_guard lock(mutex);
      --line->running;
      // This thread goes on with what waits for that; the others may have nothing left to wait for.
      if (stopping) ready.notify_all();
    }
  }

  // nullptr: that was the last.
  Line* take(Queued& next) {
    Line* line = nullptr;
    std::unique_lock lock(mutex);
    ready.wait(lock, [&] { return (line = next_line()) || (stopping && queued == 0); });
    if (!line) return nullptr;
    next = std::move(line->queue.front());
    line->queue.pop_front();
    --queued;
    ++line->running;
    return line;
  }

  void run(Queued& next, std::unique_ptr<Connection>& connection, std::string& why) {
    if (connection && !connection->healthy()) connection.reset();
    while (!connection && !(connection = connect(why))) {
      std::unique_lock lock(mutex);
      if (stopping || Clock::now() >= next.deadline) break;
      ready.wait_for(lock, std::chrono::milliseconds(100), [this] { return stopping; });
    }
    if (!connection) {
      next.job(nullptr, std::make_exception_ptr(Unavailable("database: " + why)));
      return;
    }
    next.job(connection.get(), nullptr);
    if (!connection->healthy()) connection.reset();
  }

  // Whose turn it is: who has waited longest among those who may have one more connection.
  Line* next_line() {
    const unsigned heavy = lines[1].running + lines[2].running;
    Line* next = nullptr;
    for (Line& line : lines) {
      if (line.queue.empty()) continue;
      if (&line != &lines[0] && (line.running >= most_of_a_share() || heavy >= most_of_heavy())) continue;
      if (!next || line.queue.front().number < next->queue.front().number) next = &line;
    }
    return next;
  }
  unsigned most_of_a_share() const { return std::max(1u, settings.connections / 2); }
  unsigned most_of_heavy() const { return std::max(1u, settings.connections - 1); }

  std::unique_ptr<Connection> connect(std::string& why) {
    try {
      auto made = std::make_unique<Connection>(settings.url, &round_trips);
      made->limit_statements(settings.max_statement);
      return made;
    } catch (const std::exception& error) {
      why = error.what();
      return nullptr;
    }
  }

  const Settings settings;
  std::atomic<std::uint64_t>& round_trips;
  mutable std::mutex mutex;
  std::condition_variable ready;
  std::array<Line, shares> lines;  // by share
  std::size_t queued = 0;
  std::uint64_t last_number = 0;
  bool stopping = false;
  std::vector<std::thread> threads;
};

Database::Database(Settings settings) : impl_(std::make_unique<Impl>(std::move(settings), round_trips_)) {}
Database::~Database() = default;

void Database::submit(Job job) {
  const Share share = current_share();
  {
    std::lock_guard lock(impl_->mutex);
    if (!impl_->stopping && impl_->queued < impl_->settings.max_queue) {
      auto& queue = impl_->lines[static_cast<std::size_t>(share)].queue;
      queue.push_back({std::move(job), Impl::Clock::now() + impl_->settings.wait_when_down, ++impl_->last_number});
      ++impl_->queued;
      job = nullptr;
    }
  }
  if (job)
    job(nullptr, std::make_exception_ptr(Unavailable("database: too many requests are waiting for it")));
  else
    impl_->ready.notify_one();
}

std::exception_ptr detail::failure_of_work() {
  try {
    throw;
  } catch (const pqxx::sql_error& error) {
    if (error.sqlstate() == "57014")  // query_canceled
      return std::make_exception_ptr(Unavailable("database: a statement took too long"));
    return std::current_exception();
  } catch (...) {
    return std::current_exception();
  }
}

void run_and_wait(const std::function<void(std::function<void()>)>& start) {
  std::promise<void> finished;
  start([&] { finished.set_value(); });
  finished.get_future().wait();
}

}  // namespace causeway::db
