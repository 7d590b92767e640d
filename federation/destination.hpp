// One server that is owed events: what it has, what comes next, how it has been answering. No I/O.
#pragma once

#include <boost/asio/steady_timer.hpp>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "homeserver/outbound/backoff.hpp"
#include "homeserver/stream/write_unit.hpp"
#include "schema/async/task.hpp"
#include "schema/db/tables/destinations.hpp"

namespace causeway::federation {

inline constexpr std::size_t max_pdus = 50;  // spec: server-server-api#transactions
inline constexpr std::size_t max_edus = 100;
inline constexpr std::size_t max_queued_pdus = 4 * max_pdus;  // in memory, of one destination

// A transaction ready to go: sent again under the same identifier until it is answered.
struct Transaction {
  std::string id;
  std::string body;               // canonical JSON
  std::vector<std::string> pdus;  // as JSON, ascending by position
  std::vector<std::string> edus;
  StreamPosition pdus_up_to = 0;  // the destination has all PDUs up to here once this is through
  bool empty() const { return pdus.empty() && edus.empty(); }
};

std::string transaction_body(const ServerName& origin, Timestamp now, const std::vector<std::string>& pdus,
                             const std::vector<std::string>& edus);

class Destination {
 public:
  Destination(ServerNid nid, ServerName name, std::optional<db::DestinationRow> row);

  ServerNid nid() const { return row_.server; }
  const ServerName& name() const { return name_; }

  // A committed event it is owed. Beyond what memory may hold it falls behind and reads the database later.
  void offer(StreamPosition position, const EventPtr& event);
  // A committed receipt, or one that was read. Beyond what memory may hold the database is read later here too.
  void offer(StreamPosition position, const db::ReceiptChange& receipt);
  void offer_typing(const RoomId& room, const UserId& user, bool typing);
  void fall_behind(StreamPosition up_to);  // what it was offered up to here may not be all

  bool has_work() const;

  // The next PDUs are in the database, not in memory: those with after < position <= up_to.
  struct Span {
    StreamPosition after, up_to;
  };
  bool wants_pdus() const { return behind_ && queue_.empty(); }
  // What to read next of a stream that has got to `newest`: not so much at once that many rooms' events are looked at
  // for the few that fit in.
  Span next_span(StreamPosition newest);
  // The first max_queued_pdus of that span. Returns how much of it they cover.
  Span take_rows(Span span, std::vector<db::OutboxRow> rows);

  // The next receipts are in the table, not in memory. A later one takes the place of an earlier one there, so that
  // what is read is never more than the rooms' users.
  bool wants_receipts() const { return receipts_behind_ && receipts_.empty(); }
  Span next_receipts(StreamPosition newest) const { return {receipts_read_up_to_, newest}; }
  // The first of that span, ascending; `full`: there may be more in it.
  void take_rows(Span span, const std::vector<db::OwedReceipt>& rows, bool full);

  void take_pdus(Transaction& transaction) const;
  void take_edus(Transaction& transaction);

  void succeeded(const Transaction& transaction);
  void failed(Timestamp now, const outbound::Backoff& backoff, double chance);
  // A reason to try again at once. False when it is healthy, or was tried a moment ago.
  bool encourage(Timestamp now, const outbound::Backoff& backoff);
  Timestamp retry_at() const { return row_.retry_at_ts; }
  bool healthy() const { return row_.retry_interval_ms == 0; }

  // The row to be saved, once after each change.
  std::optional<db::DestinationRow> take_unsaved();
  bool unsaved() const { return unsaved_; }

  std::optional<Transaction> current;                // in flight or to be repeated
  std::shared_ptr<asio::steady_timer> backoff_wait;  // set while it is left alone
  bool running = false;

 private:
  struct Owed {
    StreamPosition position;
    std::shared_ptr<const std::string> pdu;
  };
  struct HeldReceipt {
    StreamPosition position;
    std::string edu;
  };
  void hold(StreamPosition position, const db::ReceiptChange& receipt);
  StreamPosition receipts_sent_up_to() const;

  ServerName name_;
  db::DestinationRow row_;  // its cursor: both PDUs and receipts up to there have been sent
  StreamPosition pdus_sent_up_to_;
  // All it is owed up to here has been sent or is in the queue; more is in the database while it is behind.
  StreamPosition read_up_to_;
  bool behind_ = true;
  StreamPosition missed_up_to_ = 0;  // the last that is in the database alone
  StreamPosition reach_;             // of next_span()
  Timestamp last_attempt_ = 0;
  bool unsaved_ = false;
  std::deque<Owed> queue_, later_;  // later_: offered while behind, all that came after missed_up_to_
  std::map<std::tuple<RoomId, UserId, std::string>, HeldReceipt> receipts_;  // by thread
  // Those up to here have been sent, are held, or are in `current`; later ones are in the table while it is behind.
  StreamPosition receipts_read_up_to_;
  bool receipts_behind_ = true;
  std::map<std::pair<RoomId, UserId>, std::string> typing_;
};

}  // namespace causeway::federation
