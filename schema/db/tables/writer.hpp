// The stream's writer: table stream, and the functions that commit a batch (migrations/0002_writer.sql and later ones).
#pragma once

#include <array>
#include <string>

#include "schema/db/binary_array.hpp"
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

// What a batch writes: rows for each table, columns in the order of write_batch's parameters, then of move_aliases'.
// An "offset" counts from the last position before the batch: 1 is the first of the batch.
struct WriteBatch {
  using I = IntColumn;
  using B = BytesColumn;

  // Nothing but live events that are no state, the heads of their rooms and transaction identifiers.
  bool only_messages() const;

  std::int64_t positions = 0;    // how many it takes
  bool all_are_messages = true;  // of the events: live and no state
  Rows<I, B, B, I, I> rooms;     // room, room_id, version, resident, created_ts
  Rows<I, I, I, I, I, I, I, I, I, I, I, I, B, I, I, I> events;
  // event, room, sender, state_key, offset or null, anchor or null, sub, state line and
  // version, those after it or nulls, flags, event_id, first and last index in
  // event_auths or nulls, raised auth_order or null
  Rows<I> event_auths;
  Rows<B> event_jsons;
  Rows<I, I, I, I, I, I> heads;  // room, state_version, next_line, resident, first and last index in extremities
  Rows<I> head_extremities;
  Rows<I, B, I> transactions;             // device, key, event
  Rows<I, I, I, I, I> changes;            // room, line, state_key, from_version, event
  Rows<I, I, I, I> lines;                 // room, line, parent line and version or nulls
  Rows<I, I, I, I, I, I, B> memberships;  // user, room, membership, forgotten, event, offset, stripped_state or null
  Rows<I, I, I, I> room_servers;          // server, room, offset, joined
  Rows<B, I, I> redactions;               // target, redaction, applied
  Rows<I, I, B> replaced;                 // event, flags, json
  Rows<I, B, I> gaps;                     // room, missing, later
  Rows<I, B> closed_gaps;                 // room, missing
  Rows<B, I, I> aliases;                  // alias, room, creator
  Rows<I, I> published;                   // room, published
  Rows<I, I> outbox_extra;                // server, offset
  Rows<B> unstaged;                       // event_id
  Rows<I, I, B, B, B, I, I> receipts;     // room, user, type, thread, event_id, ts, offset
  Rows<I, I, B, B, I> account_data;       // user, room, type, content, offset
  Rows<I, I> moved_aliases;               // room they led to, room they lead to
};

// One round trip; two for messages of which one was there already, as an outlier or a repeated transaction. Returns the
// last position before the batch. Throws pqxx::sql_error when it was refused as a whole and OutcomeUnknown when the
// connection broke.
StreamPosition write_batch(Connection& connection, std::int64_t generation, WriteBatch& batch);

// Why a batch was refused.
enum class WriteRefusal {
  fenced,                 // another writer took over
  duplicate_transaction,  // a transaction identifier was used before
  alias_taken,
  transient,      // may succeed when repeated: deadlock, resources, a server that is read-only for now
  deterministic,  // will be refused again
};
WriteRefusal why_refused(const pqxx::sql_error& error);

}  // namespace causeway::db
