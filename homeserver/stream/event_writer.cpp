#include "homeserver/stream/event_writer.hpp"

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>

#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

#include "homeserver/stream/batch_committer.hpp"
#include "homeserver/stream/unit_encoding.hpp"
#include "schema/matrix/assert.hpp"

namespace causeway {

namespace {

// Of units that wait for their batch; beyond: 503 at once. One that is larger goes when nothing else waits.
constexpr std::size_t max_queued_bytes = 64 << 20;

using SteadyTime = std::chrono::steady_clock::time_point;

std::string_view label_of(WriteFailure failure) {
  switch (failure) {
    case WriteFailure::refused:
      return "refused";
    case WriteFailure::duplicate_transaction:
      return "duplicate_transaction";
    case WriteFailure::alias_taken:
      return "alias_taken";
    case WriteFailure::stale_head:
      return "stale_head";
    case WriteFailure::unavailable:
      return "unavailable";
  }
  return "";
}

// A unit and the coroutine that waits for it.
struct Waiting {
  Waiting(WriteUnitPtr u, SteadyTime d) : unit(std::move(u)), deadline(d), weight(weight_bytes(*unit)) {}
  WriteUnitPtr unit;
  SteadyTime deadline;
  std::size_t weight;
  Written outcome;
  async::Resumption caller;

  bool is_stale() const { return is_broken(*unit) || (unit->made_with && is_broken(*unit->made_with)); }
  void fail(WriteFailure failure) {
    outcome = failure;
    break_lineage(*unit);
    if (unit->made_with) break_lineage(*unit->made_with);
  }

 private:
  static bool is_broken(const WriteUnit& unit) { return unit.lineage && unit.lineage->broken; }
  static void break_lineage(const WriteUnit& unit) {
    if (unit.lineage) unit.lineage->broken = true;
  }
};
using WaitingPtr = std::shared_ptr<Waiting>;

}  // namespace

// Everything but `work` and what it hands over under the mutex belongs to the reactor thread.
struct EventWriter::Impl : std::enable_shared_from_this<Impl> {
  Impl(asio::any_io_executor r, std::string url, WriterSettings s, CommitSink& k, Metrics& m)
      : reactor(std::move(r)),
        settings(std::move(s)),
        sink(k),
        metrics(m),
        batch_units(m.histogram("writer_batch_units", "Units committed in one transaction.",
                                {1, 2, 4, 8, 16, 32, 64, 128, 256})),
        commit_seconds(m.histogram("writer_commit_seconds", "Time from the start of a batch to its outcome.",
                                   {0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1, 5, 10})),
        queued_units(m.gauge("writer_queued_units", "Units waiting for their batch.")),
        committer(std::move(url), [this] { post(&Impl::expire); }) {}

  // --- the writer's thread ---
  struct Batch {
    std::vector<WriteUnitPtr> units;
    SteadyTime deadline;
  };

  void work(const std::stop_token& stop) {
    std::unique_lock lock(mutex);
    while (handed_over.wait(lock, stop, [this] { return batch.has_value(); })) {
      Batch taken = *std::exchange(batch, std::nullopt);
      lock.unlock();
      const auto begun = std::chrono::steady_clock::now();
      auto outcome = std::make_shared<BatchOutcome>(committer.commit(taken.units, taken.deadline, stop));
      commit_seconds.Observe(std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count());
      asio::post(reactor, [self = shared_from_this(), outcome] { self->finished(std::move(*outcome)); });
      lock.lock();
    }
  }

  void post(void (Impl::*what)()) {
    asio::post(reactor, [self = shared_from_this(), what] { (self.get()->*what)(); });
  }

  // --- the reactor ---
  std::optional<WriteFailure> why_not(const Waiting& waiting) const {
    if (waiting.is_stale()) return WriteFailure::stale_head;
    if (closed || committer.fenced() || queue.size() >= settings.max_queued_units) return WriteFailure::unavailable;
    if (!queue.empty() && queued_bytes + waiting.weight > max_queued_bytes) return WriteFailure::unavailable;
    return std::nullopt;
  }

  void enqueue(WaitingPtr waiting) {
    CAUSEWAY_ASSERT(thread.joinable());  // take_over() comes first
    queued_bytes += waiting->weight;
    queue.push_back(std::move(waiting));
    launch();
  }

  WaitingPtr take_front() {
    WaitingPtr front = std::move(queue.front());
    queue.pop_front();
    queued_bytes -= front->weight;
    return front;
  }

  // Hands the next batch to the writer's thread, if that is free.
  void launch() {
    queued_units.Set(static_cast<double>(queue.size()));
    if (!in_flight.empty() || queue.empty() || closed) return;
    Batch next;
    next.deadline = queue.front()->deadline;
    std::size_t bytes = 0;
    while (!queue.empty() && in_flight.size() < settings.max_batch_units) {
      bytes += queue.front()->weight;
      if (bytes > settings.max_batch_bytes && !in_flight.empty()) break;
      next.units.push_back(queue.front()->unit);
      in_flight.push_back(take_front());
    }
    {
      std::lock_guard lock(mutex);
      batch = std::move(next);
    }
    handed_over.notify_one();
  }

  // The order matters: what failed breaks its lineage before anything that builds on it is handed over, the sink has
  // seen the commit before a caller goes on.
  void finished(BatchOutcome outcome) {
    if (closed) return;
    std::vector<WaitingPtr> ended = std::exchange(in_flight, {});
    if (committer.fenced() && settings.on_fenced) std::exchange(settings.on_fenced, {})();
    bool any_failed = false;
    for (std::size_t i = 0; i < ended.size(); ++i) {
      if (!outcome.failures[i]) continue;
      fail(*ended[i], *outcome.failures[i]);
      any_failed = true;
    }
    if (any_failed) remove_stale(ended);
    launch();
    for (BatchOutcome::Run& run : outcome.runs) {
      batch_units.Observe(static_cast<double>(run.units.size()));
      sink.committed(into_facts(run.units, run.base));
    }
    resume(ended);
  }

  // While the database is away: what has waited too long ends, and what builds on it.
  void expire() {
    if (closed) return;
    std::vector<WaitingPtr> ended;
    const auto now = std::chrono::steady_clock::now();
    while (!queue.empty() && queue.front()->deadline <= now) {
      fail(*queue.front(), WriteFailure::unavailable);
      ended.push_back(take_front());
    }
    if (!ended.empty()) remove_stale(ended);
    resume(ended);
  }

  void fail(Waiting& waiting, WriteFailure failure) {
    waiting.fail(failure);
    metrics
        .counter("writer_failures_total", "Units that were not committed.",
                 {{"reason", std::string(label_of(failure))}})
        .Increment();
  }

  void remove_stale(std::vector<WaitingPtr>& ended) {
    auto stale = std::stable_partition(queue.begin(), queue.end(), [](const WaitingPtr& w) { return !w->is_stale(); });
    for (auto at = stale; at != queue.end(); ++at) {
      fail(**at, WriteFailure::stale_head);
      queued_bytes -= (*at)->weight;
      ended.push_back(std::move(*at));
    }
    queue.erase(stale, queue.end());
  }

  void resume(const std::vector<WaitingPtr>& ended) {
    for (const WaitingPtr& waiting : ended)
      waiting->caller.now();
    if (!in_flight.empty() || !queue.empty()) return;
    for (auto& wake : std::exchange(until_idle, {}))
      wake.now();
  }

  // Nobody may be left waiting for a thread that is gone.
  void close() {
    thread.request_stop();
    if (thread.joinable()) thread.join();
    closed = true;
    std::vector<WaitingPtr> left = std::exchange(in_flight, {});
    left.insert(left.end(), queue.begin(), queue.end());
    queue.clear();
    queued_bytes = 0;
    for (const WaitingPtr& waiting : left) {
      waiting->fail(WriteFailure::unavailable);
      waiting->caller.post();
    }
    for (auto& wake : std::exchange(until_idle, {}))
      wake.post();
  }

  asio::any_io_executor reactor;
  WriterSettings settings;
  CommitSink& sink;
  Metrics& metrics;
  prometheus::Histogram& batch_units;
  prometheus::Histogram& commit_seconds;
  prometheus::Gauge& queued_units;

  std::deque<WaitingPtr> queue;
  std::size_t queued_bytes = 0;
  std::vector<WaitingPtr> in_flight;
  std::vector<async::Resumption> until_idle;
  bool closed = false;

  std::mutex mutex;
  std::condition_variable_any handed_over;
  std::optional<Batch> batch;  // under the mutex
  BatchCommitter committer;    // the thread's
  std::jthread thread;
};

EventWriter::EventWriter(asio::any_io_executor reactor, std::string database_url, WriterSettings settings,
                         CommitSink& sink, Metrics& metrics)
    : impl_(std::make_shared<Impl>(std::move(reactor), std::move(database_url), std::move(settings), sink, metrics)) {}

EventWriter::~EventWriter() {
  impl_->close();
}

StreamPosition EventWriter::take_over() {
  CAUSEWAY_ASSERT(!impl_->thread.joinable());
  const StreamPosition position = impl_->committer.take_over();
  impl_->thread = std::jthread([impl = impl_.get()](const std::stop_token& stop) { impl->work(stop); });
  return position;
}

Task<Written> EventWriter::commit(WriteUnitPtr unit) {
  auto impl = impl_;
  auto waiting = std::make_shared<Waiting>(std::move(unit), std::chrono::steady_clock::now() + impl->settings.deadline);
  if (auto failure = impl->why_not(*waiting)) {
    impl->fail(*waiting, *failure);
    co_return waiting->outcome;
  }
  auto queue = [impl, waiting](async::Resumption caller) {
    waiting->caller = std::move(caller);
    impl->enqueue(waiting);
  };
  co_await suspend(std::move(queue));
  co_return waiting->outcome;
}

bool EventWriter::fenced() const {
  return impl_->committer.fenced();
}
const db::WriterId& EventWriter::id() const {
  return impl_->committer.id();
}
std::uint64_t EventWriter::round_trips() const {
  return impl_->committer.round_trips();
}

Task<> EventWriter::drain() {
  auto impl = impl_;
  while (!impl->queue.empty() || !impl->in_flight.empty()) {
    auto until_idle = [impl](async::Resumption caller) { impl->until_idle.push_back(std::move(caller)); };
    co_await suspend(std::move(until_idle));
  }
}

}  // namespace causeway
