// The writer's end of the database: commits batches on a connection of its own and finds out what became of them.
// Blocking; one thread at a time.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "homeserver/stream/write_unit.hpp"
#include "homeserver/stream/written.hpp"
#include "schema/db/database.hpp"
#include "schema/db/tables/writer.hpp"

namespace causeway {

// What became of a batch. Every unit is either in one of the runs or has a failure.
struct BatchOutcome {
  struct Run {  // committed together, positions from `base` + 1 on
    StreamPosition base = 0;
    std::vector<WriteUnitPtr> units;
  };
  std::vector<Run> runs;                              // in the order of their commits
  std::vector<std::optional<WriteFailure>> failures;  // one place for each unit of the batch
};

class BatchCommitter {
 public:
  using Deadline = std::chrono::steady_clock::time_point;

  // `waiting` is called each time before a pause, when an attempt had no outcome.
  BatchCommitter(std::string url, std::function<void()> waiting);

  // Throws what the database throws.
  StreamPosition take_over();

  // Ends with every unit's outcome known. The database may be away until the deadline; a commit whose outcome is not
  // known is waited for beyond it.
  BatchOutcome commit(const std::vector<WriteUnitPtr>& units, Deadline deadline, const std::stop_token& stop);

  const db::WriterId& id() const { return id_; }
  bool fenced() const { return fenced_.load(std::memory_order_relaxed); }
  std::uint64_t round_trips() const { return round_trips_.load(std::memory_order_relaxed); }

 private:
  struct Attempt {
    std::optional<StreamPosition> base;  // committed
    WriteFailure failure{};              // otherwise
    std::string why;
  };
  Attempt attempt(const std::vector<WriteUnitPtr>& units, Deadline deadline, const std::stop_token& stop);
  // Writes, or throws. Connects first where needed; then `in_doubt` says whether the batch was sent on a connection
  // that broke.
  std::optional<StreamPosition> write(db::WriteBatch& batch, bool& in_doubt);
  void connect();
  void give_way();

  std::string url_;
  std::function<void()> waiting_;
  db::WriterId id_{};
  std::unique_ptr<db::Connection> connection_;
  db::WriteStatements statements_;
  db::StreamState stream_;  // as of our last commit
  std::atomic<bool> fenced_{false};
  std::atomic<std::uint64_t> round_trips_{0};
};

}  // namespace causeway
