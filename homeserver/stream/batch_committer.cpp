#include "homeserver/stream/batch_committer.hpp"

#include <sodium.h>

#include <condition_variable>
#include <mutex>
#include <unordered_set>

#include "homeserver/stream/unit_encoding.hpp"
#include "schema/log.hpp"

namespace causeway {

namespace {

using namespace std::chrono_literals;
constexpr std::chrono::milliseconds first_pause = 10ms;
constexpr std::chrono::milliseconds longest_pause = 500ms;

WriteFailure to_failure(db::WriteRefusal refusal) {
  switch (refusal) {
    case db::WriteRefusal::duplicate_transaction:
      return WriteFailure::duplicate_transaction;
    case db::WriteRefusal::alias_taken:
      return WriteFailure::alias_taken;
    default:
      return WriteFailure::refused;
  }
}

// What PostgreSQL said, without the statement it was about.
std::string cause(const std::exception& error) {
  const std::string_view text = error.what();
  return std::string(text.substr(0, text.find("\nCONTEXT")));
}

void pause_for(std::chrono::milliseconds time, const std::stop_token& stop) {
  std::mutex mutex;
  std::condition_variable_any stopped;
  std::unique_lock lock(mutex);
  stopped.wait_for(lock, stop, time, [] { return false; });
}

// Indices of the units that stand or fall together: those of a room in their order, others each by itself.
std::vector<std::vector<std::size_t>> group_by_room(const std::vector<WriteUnitPtr>& units) {
  std::vector<std::vector<std::size_t>> groups;
  std::unordered_map<RoomNid, std::size_t> group_of;
  for (std::size_t i = 0; i < units.size(); ++i) {
    const RoomNid room = units[i]->room;
    auto known = group_of.find(room);
    if (room != RoomNid{} && known != group_of.end()) {
      groups[known->second].push_back(i);
      continue;
    }
    group_of.emplace(room, groups.size());
    groups.emplace_back(1, i);
  }
  return groups;
}

std::vector<WriteUnitPtr> select(const std::vector<WriteUnitPtr>& units, const std::vector<std::size_t>& indices) {
  std::vector<WriteUnitPtr> selected;
  for (std::size_t i : indices)
    selected.push_back(units[i]);
  return selected;
}

}  // namespace

BatchCommitter::BatchCommitter(std::string url, std::function<void()> waiting)
    : url_(std::move(url)), waiting_(std::move(waiting)) {
  randombytes_buf(id_.data(), id_.size());
}

StreamPosition BatchCommitter::take_over() {
  auto connection = std::make_unique<db::Connection>(url_, &round_trips_);
  db::prepare_writer_session(*connection);
  stream_ = db::take_over_stream(*connection, id_);
  connection_ = std::move(connection);
  return stream_.position;
}

void BatchCommitter::give_way() {
  fenced_ = true;
  log::critical("another process has become the writer of this database; this one must be restarted");
}

// A new connection is a new generation, so that nothing still under way on the old one can be committed later.
void BatchCommitter::connect() {
  auto connection = std::make_unique<db::Connection>(url_, &round_trips_);
  std::optional<db::StreamState> state;
  try {
    db::prepare_writer_session(*connection);
    state = db::renew_stream(*connection, id_);
  } catch (const pqxx::sql_error& error) {
    throw db::Unavailable(error.what());  // says nothing about a batch
  }
  if (!state) return give_way();
  connection_ = std::move(connection);
  stream_.generation = state->generation;
  stream_.position = state->position;
  stream_.batch = state->batch;
}

std::optional<StreamPosition> BatchCommitter::write(db::WriteBatch& batch, bool& in_doubt) {
  if (!connection_ && !fenced_) {
    const std::int64_t batches = stream_.batch;
    connect();
    // Nobody else wrote in between: if there is one batch more, it is this one.
    if (in_doubt && !fenced_ && stream_.batch == batches + 1) return stream_.position - batch.positions;
    if (!fenced_) in_doubt = false;
  }
  if (fenced_) return std::nullopt;
  in_doubt = true;
  const StreamPosition base = db::write_batch(*connection_, statements_, stream_.generation, batch);
  in_doubt = false;
  ++stream_.batch;
  stream_.position = base + batch.positions;
  return base;
}

BatchCommitter::Attempt BatchCommitter::attempt(const std::vector<WriteUnitPtr>& units, Deadline deadline,
                                                const std::stop_token& stop) {
  db::WriteBatch batch = encode(units);
  bool in_doubt = false;
  for (auto pause = first_pause;; pause = std::min(pause * 2, longest_pause)) {
    Attempt result{std::nullopt, WriteFailure::unavailable, "another process writes"};
    try {
      result.base = write(batch, in_doubt);
      return result;
    } catch (const pqxx::sql_error& error) {
      in_doubt = false;
      result.why = cause(error);
      const db::WriteRefusal refusal = db::why_refused(error);
      if (refusal != db::WriteRefusal::transient) {
        result.failure = to_failure(refusal);
        return result;
      }
    } catch (const db::Fenced& error) {
      give_way();
      return result;
    } catch (const std::exception& error) {
      result.why = cause(error);
    }
    connection_.reset();
    log::warn("writing to the database failed, trying again: {}", result.why);
    if (stop.stop_requested() || (!in_doubt && std::chrono::steady_clock::now() > deadline)) return result;
    waiting_();
    pause_for(pause, stop);
  }
}

BatchOutcome BatchCommitter::commit(const std::vector<WriteUnitPtr>& units, Deadline deadline,
                                    const std::stop_token& stop) {
  BatchOutcome outcome;
  outcome.failures.resize(units.size());
  std::unordered_set<const HeadLineage*> broken;

  // Commits these or says why not; a refusal of several is returned, for the caller to try them in smaller parts.
  auto try_together = [&](const std::vector<std::size_t>& indices) -> bool {
    std::vector<WriteUnitPtr> selected = select(units, indices);
    Attempt result = attempt(selected, deadline, stop);
    if (result.base) {
      outcome.runs.push_back({*result.base, std::move(selected)});
      return true;
    }
    if (result.failure != WriteFailure::unavailable && indices.size() > 1) return false;
    for (std::size_t i : indices) {
      outcome.failures[i] = result.failure;
      if (units[i]->lineage) broken.insert(units[i]->lineage.get());
    }
    if (result.failure == WriteFailure::refused)
      log::error("a write to room number {} was refused: {}", to_int(units[indices.front()]->room), result.why);
    return true;
  };

  std::vector<std::size_t> all(units.size());
  for (std::size_t i = 0; i < all.size(); ++i)
    all[i] = i;
  if (try_together(all)) return outcome;
  for (const std::vector<std::size_t>& group : group_by_room(units)) {
    if (try_together(group)) continue;
    for (std::size_t i : group) {
      if (broken.contains(units[i]->lineage.get()))
        outcome.failures[i] = WriteFailure::stale_head;
      else
        try_together({i});
    }
  }
  return outcome;
}

}  // namespace causeway
