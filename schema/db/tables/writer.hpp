// The stream's writer: table stream, and committing a batch.
#pragma once

#include <array>
#include <map>
#include <stdexcept>
#include <string>
#include <vector>

#include "schema/db/write_batch.hpp"
#include "schema/matrix/ids.hpp"

namespace causeway::db {

// Settings of the writer's session: rows are found by key whatever the statistics say, and nothing runs for long.
void prepare_writer_session(Connection& connection);

// Tells writers apart, random for each.
using WriterId = std::array<unsigned char, 16>;

struct StreamState {
  std::int64_t generation = 0;  // of the writer that took over
  StreamPosition position = 0;  // the last that was given
  std::int64_t batch = 0;       // commits since the beginning
};
// Raises the generation, which ends every earlier one, and waits for a batch of theirs that is under way.
StreamState take_over_stream(Connection& connection, const WriterId& me);
// The same if nobody else took over since this writer did; else nothing.
std::optional<StreamState> renew_stream(Connection& connection, const WriterId& me);
// Nobody took over since.
bool is_writer(Connection& connection, const WriterId& me);

// The texts of the statements that batches make, one for each set of functions: they are prepared by address.
class WriteStatements {
 public:
  // Of functions with so many columns each, called in their order; `first` stands before the call.
  struct Call {
    std::string_view function;
    std::size_t columns = 0;
  };
  const char* text(std::string_view first, std::size_t first_parameters, const std::vector<Call>& calls);
  // Sets of tables are few, but they may become many over months: then all that were prepared are given up.
  bool full() const { return by_key_.size() >= 256; }
  void clear() { by_key_.clear(); }

 private:
  std::map<std::string, std::string> by_key_;
};

// One round trip; two for messages of which one was there already, as an outlier or a repeated transaction, and where a
// set of tables is written for the first time on this connection. Returns the last position before the batch. Throws
// pqxx::sql_error when it was refused as a whole, Fenced when another writer took over, and OutcomeUnknown when the
// connection broke.
StreamPosition write_batch(Connection& connection, WriteStatements& statements, std::int64_t generation,
                           WriteBatch& batch);
class Fenced : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// Why a batch was refused.
enum class WriteRefusal {
  duplicate_transaction,  // a transaction identifier was used before
  alias_taken,
  transient,      // may succeed when repeated: deadlock, resources, a server that is read-only for now
  deterministic,  // will be refused again
};
WriteRefusal why_refused(const pqxx::sql_error& error);

}  // namespace causeway::db
