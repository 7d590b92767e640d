#include "federation/destination.hpp"

#include "federation/edus/receipts.hpp"
#include "federation/edus/typing.hpp"
#include "schema/json/json.hpp"

namespace causeway::federation {

namespace {

constexpr StreamPosition first_reach = 4'096;  // positions
constexpr StreamPosition reach_growth = 8;
constexpr StreamPosition max_reach = std::numeric_limits<StreamPosition>::max() / 1'024;
constexpr std::size_t max_held_edus = 2 * max_edus;
// A transaction is repeated as it was while failures are this young; then its memory is given back.
constexpr std::int64_t keep_transaction_ms = 60'000;

void append_array(std::string& out, const std::vector<std::string>& elements) {
  out += '[';
  for (const auto& element : elements) {
    if (out.back() != '[') out += ',';
    out += element;
  }
  out += ']';
}

}  // namespace

std::string transaction_body(const ServerName& origin, Timestamp now, const std::vector<std::string>& pdus,
                             const std::vector<std::string>& edus) {
  // The members in canonical order.
  std::string body = "{";
  if (!edus.empty()) {
    body += "\"edus\":";
    append_array(body, edus);
    body += ',';
  }
  body += "\"origin\":";
  json::append_quoted(body, origin.str());
  body += ",\"origin_server_ts\":" + std::to_string(now) + ",\"pdus\":";
  append_array(body, pdus);
  return body + "}";
}

Destination::Destination(ServerNid nid, ServerName name, std::optional<db::DestinationRow> row)
    : name_(std::move(name)),
      row_(row.value_or(db::DestinationRow{nid})),
      pdus_sent_up_to_(row_.cursor),
      read_up_to_(row_.cursor),
      reach_(first_reach),
      receipts_read_up_to_(row_.cursor) {}

void Destination::offer(StreamPosition position, const EventPtr& event) {
  if (event->sender().server() == name_.str() || position <= read_up_to_) return;
  auto& queue = behind_ ? later_ : queue_;
  if (queue.size() >= max_queued_pdus) {
    fall_behind(position);
    return;
  }
  queue.push_back({position, std::shared_ptr<const std::string>(event, &to_pdu(*event))});
  if (!behind_) read_up_to_ = position;
}

void Destination::fall_behind(StreamPosition up_to) {
  behind_ = true;
  missed_up_to_ = std::max(missed_up_to_, up_to);
  later_.clear();
  receipts_behind_ = true;
}

void Destination::offer(StreamPosition position, const db::ReceiptChange& receipt) {
  if (receipts_behind_ || position <= receipts_read_up_to_) return;
  if (receipts_.size() >= max_held_edus) {
    receipts_behind_ = true;
    return;
  }
  hold(position, receipt);
  receipts_read_up_to_ = position;
}

void Destination::hold(StreamPosition position, const db::ReceiptChange& receipt) {
  HeldReceipt held{position, receipt_edu(receipt)};
  receipts_.insert_or_assign({receipt.room_id, receipt.user_id, receipt.thread_id}, std::move(held));
}

void Destination::take_rows(Span span, const std::vector<db::OwedReceipt>& rows, bool full) {
  for (const auto& row : rows) {
    db::ReceiptChange receipt;
    receipt.room_id = row.room;
    receipt.user_id = row.user;
    receipt.receipt_type = "m.read";
    receipt.thread_id = row.thread_id;
    receipt.event_id = row.event;
    receipt.ts = row.ts;
    hold(row.position, receipt);
  }
  receipts_read_up_to_ = full ? rows.back().position : span.up_to;
  receipts_behind_ = full;
}

// Of those that are owed: what is neither held nor to be read.
StreamPosition Destination::receipts_sent_up_to() const {
  StreamPosition sent = receipts_behind_ ? receipts_read_up_to_ : std::numeric_limits<StreamPosition>::max();
  for (const auto& [key, held] : receipts_)
    sent = std::min(sent, held.position - 1);
  return sent;
}

void Destination::offer_typing(const RoomId& room, const UserId& user, bool typing) {
  if (!healthy()) return;  // it would be old news by the time it arrived
  if (typing_.size() >= max_held_edus) typing_.erase(typing_.begin());
  typing_.insert_or_assign({room, user}, typing_edu(room, user, typing));
}

bool Destination::has_work() const {
  return current || behind_ || receipts_behind_ || !queue_.empty() || !receipts_.empty() || !typing_.empty();
}

Destination::Span Destination::next_span(StreamPosition newest) {
  missed_up_to_ = std::max(missed_up_to_, newest);
  return {read_up_to_, std::min(newest, read_up_to_ + reach_)};
}

Destination::Span Destination::take_rows(Span span, std::vector<db::OutboxRow> rows) {
  const bool full = rows.size() >= max_queued_pdus;
  const Span covered{span.after, full ? rows.back().position : span.up_to};
  reach_ = full ? std::max(reach_ / reach_growth, first_reach) : std::min(reach_, max_reach) * reach_growth;
  for (auto& row : rows)
    queue_.push_back({row.position, std::make_shared<const std::string>(std::move(row.json))});
  read_up_to_ = covered.up_to;
  if (read_up_to_ < missed_up_to_) return covered;
  behind_ = false;
  for (auto& owed : std::exchange(later_, {})) {
    if (owed.position <= read_up_to_) continue;
    read_up_to_ = owed.position;
    queue_.push_back(std::move(owed));
  }
  return covered;
}

void Destination::take_pdus(Transaction& transaction) const {
  for (const auto& owed : queue_) {
    if (transaction.pdus.size() == max_pdus) break;
    transaction.pdus.push_back(*owed.pdu);
    transaction.pdus_up_to = owed.position;
  }
  if (transaction.pdus.size() == queue_.size()) transaction.pdus_up_to = read_up_to_;
}

void Destination::take_edus(Transaction& transaction) {
  while (!typing_.empty() && transaction.edus.size() < max_edus)
    transaction.edus.push_back(std::move(typing_.extract(typing_.begin()).mapped()));
  // The oldest first, so that the cursor gets on.
  std::vector<decltype(receipts_)::iterator> waiting;
  for (auto held = receipts_.begin(); held != receipts_.end(); ++held)
    waiting.push_back(held);
  std::ranges::sort(waiting, {}, [](const auto& held) { return held->second.position; });
  if (waiting.size() > max_edus - transaction.edus.size()) waiting.resize(max_edus - transaction.edus.size());
  for (const auto& held : waiting) {
    transaction.edus.push_back(std::move(held->second.edu));
    receipts_.erase(held);
  }
}

void Destination::succeeded(const Transaction& transaction) {
  pdus_sent_up_to_ = std::max(pdus_sent_up_to_, transaction.pdus_up_to);
  while (!queue_.empty() && queue_.front().position <= pdus_sent_up_to_)
    queue_.pop_front();
  const StreamPosition both = std::min(pdus_sent_up_to_, receipts_sent_up_to());
  if (row_.cursor < both || !healthy()) unsaved_ = true;
  row_.cursor = std::max(row_.cursor, both);
  row_.retry_interval_ms = 0;
  row_.retry_at_ts = 0;
}

void Destination::failed(Timestamp now, const outbound::Backoff& backoff, double chance) {
  row_.retry_interval_ms = backoff.next_ms(row_.retry_interval_ms);
  row_.retry_at_ts = backoff.retry_at(now, row_.retry_interval_ms, chance);
  last_attempt_ = now;
  unsaved_ = true;
  typing_.clear();
  if (row_.retry_interval_ms < keep_transaction_ms) return;
  current.reset();
  queue_.clear();
  fall_behind(std::exchange(read_up_to_, pdus_sent_up_to_));
  receipts_.clear();
  receipts_read_up_to_ = row_.cursor;
}

bool Destination::encourage(Timestamp now, const outbound::Backoff& backoff) {
  if (healthy() || row_.retry_at_ts <= now || now - last_attempt_ < backoff.first.count()) return false;
  row_.retry_at_ts = now;
  row_.retry_interval_ms = backoff.first.count();
  return true;
}

std::optional<db::DestinationRow> Destination::take_unsaved() {
  if (!std::exchange(unsaved_, false)) return std::nullopt;
  return row_;
}

}  // namespace causeway::federation
