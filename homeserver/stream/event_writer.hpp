// Group commit: while one transaction is in flight the next batch gathers units from all rooms and users.
//
// One batch is one round trip (one statement in autocommit, schema/db/tables/writer.hpp) that locks the stream's row,
// so positions become visible in order, also with several processes. After a commit its facts go to CommitSink
// in order, then the callers resume: nothing is answered, pushed or federated before its commit.
#pragma once

#include <chrono>
#include <functional>
#include <memory>

#include "homeserver/runtime/clock.hpp"
#include "homeserver/runtime/metrics.hpp"
#include "homeserver/stream/committed.hpp"
#include "homeserver/stream/written.hpp"
#include "schema/async/task.hpp"
#include "schema/db/database.hpp"
#include "schema/db/tables/writer.hpp"

namespace causeway {

// What a committed batch goes through before its callers resume: positions, ring, caches, waiters, outbox. Synchronous.
class CommitSink {
 public:
  virtual ~CommitSink() = default;
  // In their order, without a gap.
  virtual void committed(const std::vector<CommittedPtr>& commits) = 0;
};

struct WriterSettings {
  std::size_t max_batch_units = 256;
  std::size_t max_batch_bytes = 4 << 20;
  std::size_t max_queued_units = 8192;         // beyond: 503 at once
  std::chrono::milliseconds deadline{10'000};  // how long a unit may wait for a database that is away
  std::function<void()> on_fenced;             // called once, on the reactor, when another process became the writer
};

class EventWriter {
 public:
  // Uses one thread and connection of its own. Takes over the stream: raises the generation in the database.
  EventWriter(asio::any_io_executor reactor, std::string database_url, WriterSettings settings, CommitSink& sink,
              Metrics& metrics);
  ~EventWriter();

  // Blocking, at start: connects, raises the generation, returns the stream's position.
  StreamPosition take_over();

  // Resumes after the commit. Units are committed in the order of the calls: a unit is queued before the first
  // suspension. A unit that the database refuses is `refused` (logged with the cause), and every unit of its lineage
  // behind it is `stale_head` because it was built on a head that never came to be (HeadLineage): build it again on the
  // true one. `duplicate_transaction`: another process or an earlier life committed it already, look the event up. A
  // commit that was lost on a broken connection is looked into before anything is said.
  Task<Written> commit(WriteUnitPtr unit);

  // Another process has become the writer: commits fail as `unavailable` from now on, this process should end.
  bool fenced() const;
  // Names this writer in the database, for other changes that only the process that writes may make.
  const db::WriterId& id() const;
  // Statements sent since start, for tests and metrics.
  std::uint64_t round_trips() const;

  // Ends after everything queued is written.
  Task<> drain();

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace causeway
