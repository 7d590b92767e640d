// PostgreSQL as the rest of the program sees it: a fixed set of threads with one connection each.
//
// libpqxx blocks, so nothing but these threads touches a connection. A caller gives `run` a function of values; it runs
// on a free thread and its result comes back on the caller's executor. Tables (schema/db/tables) are free functions
// over Connection; SQL stands nowhere else.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <pqxx/pqxx>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <unordered_map>
#include <utility>
#include <vector>

#include "schema/async/task.hpp"

namespace causeway::db {

// The database can't be reached, or answered that it is shutting down, within the time allowed. Becomes 503.
class Unavailable : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// The connection broke while a statement that writes was under way: it may or may not have happened. Only the caller
// knows how to find out. A kind of Unavailable for those who don't.
class OutcomeUnknown : public Unavailable {
 public:
  using Unavailable::Unavailable;
};

// Binary data as a parameter; text columns that can hold U+0000 are bytea too.
class Bytes {
 public:
  explicit Bytes(std::string_view data) : data_(data) {}
  std::string_view view() const { return data_; }

 private:
  std::string_view data_;  // must outlive the call
};

// One connection, used by one thread at a time.
// After a break the object is thrown away and a new one made, so nothing of a session (locks, prepared statements) is
// assumed to have survived.
class Connection {
 public:
  Connection(const std::string& url, std::atomic<std::uint64_t>* round_trips = nullptr);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // One statement, committed by itself: one round trip (two at the first use of its text on this connection).
  // `sql` is a string literal: it is prepared once per address and stays prepared.
  // Arguments: integers, bool, double, std::string and string_view (text, no U+0000), Bytes (bytea), std::optional of
  // these (null), and the array literals below.
  // Throws OutcomeUnknown when the connection breaks, pqxx::sql_error when PostgreSQL refuses the statement.
  template <class... Args>
  pqxx::result exec(const char* sql, const Args&... args) {
    std::vector<Parameter> parameters;
    parameters.reserve(sizeof...(Args));
    (parameters.push_back(to_parameter(args)), ...);
    return exec_parameters(sql, parameters);
  }

  // The same with every parameter in PostgreSQL's binary format (binary_array.hpp), for statements with many.
  pqxx::result exec_binary(const char* sql, std::span<const Bytes> arguments) {
    std::vector<Parameter> parameters;
    parameters.reserve(arguments.size());
    for (const Bytes& argument : arguments)
      parameters.push_back(to_parameter(argument));
    return exec_parameters(sql, parameters);
  }

  // Several statements in one transaction, for the rare write that needs it: three round trips and more. `body` is
  // called again, up to 5 times, after a serialization failure or a deadlock, so it must only compute values.
  void transaction(const std::function<void(Connection&)>& body);

  // Text that may hold several statements and has no parameters.
  void exec_script(const std::string& sql);

  // All statements are prepared anew from now on: their texts may go.
  void forget_prepared();

  // From now on a statement that takes longer is ended. Zero: none is.
  void limit_statements(std::chrono::milliseconds time);

  bool healthy() const;

 private:
  struct Parameter {
    enum class Kind { null, text, binary } kind;
    std::string text;
    std::string_view binary;
  };
  static Parameter to_parameter(const Bytes& value) { return {Parameter::Kind::binary, {}, value.view()}; }
  static Parameter to_parameter(std::string_view value) { return {Parameter::Kind::text, std::string(value), {}}; }
  static Parameter to_parameter(const std::string& value) { return {Parameter::Kind::text, value, {}}; }
  static Parameter to_parameter(const char* value) { return {Parameter::Kind::text, value, {}}; }
  static Parameter to_parameter(bool value) { return {Parameter::Kind::text, value ? "t" : "f", {}}; }
  template <class T>
  requires(std::is_arithmetic_v<T> && !std::is_same_v<T, bool>) static Parameter to_parameter(T value) {
    return {Parameter::Kind::text, pqxx::to_string(value), {}};
  }
  template <class T>
  requires std::is_enum_v<T>
  static Parameter to_parameter(T value) { return to_parameter(static_cast<std::int64_t>(value)); }
  template <class T>
  static Parameter to_parameter(const std::optional<T>& value) {
    return value ? to_parameter(*value) : Parameter{Parameter::Kind::null, {}, {}};
  }
  pqxx::result exec_parameters(const char* sql, const std::vector<Parameter>& parameters);

  std::unique_ptr<pqxx::connection> connection_;
  std::unordered_map<const char*, std::string> prepared_;  // names by text
  std::uint64_t prepared_ever_ = 0;
  std::unique_ptr<pqxx::transaction_base> transaction_;  // inside transaction()
  std::atomic<std::uint64_t>* round_trips_;
};

// Array parameters, as PostgreSQL array literals: for `$1::bigint[]`, `$1::bytea[]`.
std::string int_array(std::span<const std::int64_t> values);
std::string bytea_array(std::span<const std::string> values);
std::string bytea_array(std::span<const std::string_view> values);
template <class Range, class Projection = std::identity>
std::string int_array_of(const Range& range, Projection projection = {}) {
  std::vector<std::int64_t> values;
  for (const auto& element : range)
    values.push_back(static_cast<std::int64_t>(std::invoke(projection, element)));
  return int_array(values);
}

// Column readers. bytea arrives as hex and is decoded here.
std::string read_bytes(const pqxx::field& field);
std::vector<std::int64_t> read_ints(const pqxx::field& field);  // bigint[]; empty for null
template <class Nid = std::int64_t>
Nid read_int(const pqxx::field& field) {
  return static_cast<Nid>(field.as<std::int64_t>());
}

struct Settings {
  std::string url;                                  // libpq connection string or URI
  unsigned connections = 4;                         // one thread each
  std::chrono::milliseconds wait_when_down{3000};   // how long a request waits for the database to come back
  std::size_t max_queue = 4096;                     // jobs waiting for a thread; beyond: Unavailable
  std::chrono::milliseconds max_statement{60'000};  // a statement that takes longer is ended: Unavailable
};

class Database {
 public:
  explicit Database(Settings settings);
  ~Database();  // lets queued jobs end, joins the threads
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  // Runs `work(Connection&)` on a database thread and resumes the caller, on its own executor, with the result, or
  // throws what it threw. While the database is away a job waits up to wait_when_down for a connection, then throws
  // Unavailable. A connection that breaks while idle is replaced before the job sees it; one that breaks under a
  // statement is OutcomeUnknown. A queued job is not cancelled.
  //
  // GCC 12 destroys temporaries in co_await expressions twice, so `work` is a named local moved in:
  //   auto load = [nid](db::Connection& c) { return db::load_room(c, nid); };
  //   auto room = co_await database.run(std::move(load));
  // What it gives can be awaited, once, or be made a Task.
  template <class Work>
  class Running;
  template <class Work>
  Running<Work> run(Work work);

  // The same, blocking the calling thread: start-up, command line and tests.
  template <class Work>
  std::invoke_result_t<Work&, Connection&> run_blocking(Work work);

  // Statements sent since start, for tests and metrics: "this request is one round trip" is a test.
  std::uint64_t round_trips() const { return round_trips_.load(std::memory_order_relaxed); }

 private:
  // Called once: with a connection, or with why there is none.
  using Job = std::function<void(Connection*, std::exception_ptr)>;
  void submit(Job job);
  struct Impl;
  std::unique_ptr<Impl> impl_;
  std::atomic<std::uint64_t> round_trips_{0};
};

namespace detail {
template <class R>
struct Outcome {
  std::exception_ptr error;
  std::optional<R> value;
};
template <>
struct Outcome<void> {
  std::exception_ptr error;
};

// The exception being handled; that of a statement which took too long is Unavailable.
std::exception_ptr failure_of_work();

template <class R, class Work>
void run_into(Outcome<R>& outcome, Work& work, Connection* connection, const std::exception_ptr& unavailable) {
  if (unavailable) {
    outcome.error = unavailable;
    return;
  }
  try {
    if constexpr (std::is_void_v<R>)
      work(*connection);
    else
      outcome.value.emplace(work(*connection));
  } catch (...) {
    outcome.error = failure_of_work();
  }
}

template <class R>
R take(Outcome<R>& outcome) {
  if (outcome.error) std::rethrow_exception(outcome.error);
  if constexpr (!std::is_void_v<R>) return std::move(*outcome.value);
}
}  // namespace detail

// No coroutine: each use would be one of its own, to compile and to allocate.
template <class Work>
class Database::Running {
 public:
  using R = std::invoke_result_t<Work&, Connection&>;
  Running(Database& database, Work work) : database_(database), shared_(std::make_shared<Shared>(std::move(work))) {}

  async::Chain* chain = nullptr;
  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> waiting) {
    database_.submit([shared = shared_, caller = async::Resumption(chain, waiting)](Connection* connection,
                                                                                    std::exception_ptr unavailable) {
      detail::run_into(shared->outcome, shared->work, connection, unavailable);
      caller.post();
    });
  }
  R await_resume() { return detail::take(shared_->outcome); }

  operator Task<R>() && { return as_task(std::move(*this)); }

 private:
  // With the database's thread, which may outlive an abandoned coroutine frame.
  struct Shared {
    explicit Shared(Work w) : work(std::move(w)) {}
    Work work;
    detail::Outcome<R> outcome;
  };
  static Task<R> as_task(Running running) { co_return co_await running; }

  Database& database_;
  std::shared_ptr<Shared> shared_;
};

template <class Work>
Database::Running<Work> Database::run(Work work) {
  return Running<Work>(*this, std::move(work));
}

void run_and_wait(const std::function<void(std::function<void()>)>& start);

template <class Work>
std::invoke_result_t<Work&, Connection&> Database::run_blocking(Work work) {
  using R = std::invoke_result_t<Work&, Connection&>;
  detail::Outcome<R> outcome;
  run_and_wait([&](std::function<void()> done) {
    submit([&, done](Connection* connection, std::exception_ptr unavailable) {
      detail::run_into(outcome, work, connection, unavailable);
      done();
    });
  });
  return detail::take(outcome);
}

}  // namespace causeway::db
