#include "federation/destination.hpp"

#include "schema/json/canonical.hpp"
#include "schema/json/json.hpp"

namespace causeway::federation {

namespace {

constexpr StreamPosition first_reach = 4'096;  // positions
constexpr StreamPosition reach_growth = 8;
constexpr StreamPosition max_reach = std::numeric_limits<StreamPosition>::max() / 1'024;
constexpr std::size_t max_held_edus = 2 * max_edus;
// A transaction is repeated as it was while failures are this young; then its memory is given back.
constexpr std::int64_t keep_transaction_ms = 60'000;

std::string edu(std::string_view type, boost::json::object content) {
  boost::json::object out;
  out["content"] = std::move(content);
  out["edu_type"] = type;
  return json::canonical(out);
}

// spec: server-server-api#receipts
std::string receipt_edu(const ReceiptChange& receipt) {
  boost::json::object data;
  data["ts"] = receipt.ts;
  if (!receipt.thread_id.empty()) data["thread_id"] = receipt.thread_id;
  boost::json::array event_ids;
  event_ids.emplace_back(receipt.event_id.str());
  boost::json::object of_user;
  of_user["data"] = std::move(data);
  of_user["event_ids"] = std::move(event_ids);
  boost::json::object users;
  users[receipt.user_id.str()] = std::move(of_user);
  boost::json::object types;
  types[receipt.receipt_type] = std::move(users);
  boost::json::object content;
  content[receipt.room_id.str()] = std::move(types);
  return edu("m.receipt", std::move(content));
}

// spec: server-server-api#typing-notifications
std::string typing_edu(const RoomId& room, const UserId& user, bool typing) {
  boost::json::object content;
  content["room_id"] = room.str();
  content["typing"] = typing;
  content["user_id"] = user.str();
  return edu("m.typing", std::move(content));
}

void append_array(std::string& out, const std::vector<std::string>& elements) {
  out += '[';
  for (const auto& element : elements) {
    if (out.back() != '[') out += ',';
    out += element;
  }
  out += ']';
}

template <class Map>
void move_edus(Map& from, std::vector<std::string>& to) {
  while (!from.empty() && to.size() < max_edus)
    to.push_back(std::move(from.extract(from.begin()).mapped()));
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
      read_up_to_(row_.cursor),
      reach_(first_reach) {}

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
}

void Destination::offer(const ReceiptChange& receipt) {
  if (receipts_.size() >= max_held_edus) receipts_.erase(receipts_.begin());
  receipts_.insert_or_assign({receipt.room_id, receipt.user_id, receipt.thread_id}, receipt_edu(receipt));
}

void Destination::offer_typing(const RoomId& room, const UserId& user, bool typing) {
  if (!healthy()) return;  // it would be old news by the time it arrived
  if (typing_.size() >= max_held_edus) typing_.erase(typing_.begin());
  typing_.insert_or_assign({room, user}, typing_edu(room, user, typing));
}

bool Destination::has_work() const {
  return current || behind_ || !queue_.empty() || !receipts_.empty() || !typing_.empty();
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
    transaction.cursor = owed.position;
  }
  if (transaction.pdus.size() == queue_.size()) transaction.cursor = read_up_to_;
}

void Destination::take_edus(Transaction& transaction) {
  move_edus(typing_, transaction.edus);
  move_edus(receipts_, transaction.edus);
}

void Destination::succeeded(const Transaction& transaction) {
  if (row_.cursor != transaction.cursor || !healthy()) unsaved_ = true;
  row_.cursor = std::max(row_.cursor, transaction.cursor);
  row_.retry_interval_ms = 0;
  row_.retry_at_ts = 0;
  while (!queue_.empty() && queue_.front().position <= row_.cursor)
    queue_.pop_front();
}

void Destination::failed(Timestamp now, const Backoff& backoff, double chance) {
  row_.retry_interval_ms = backoff.next_ms(row_.retry_interval_ms);
  row_.retry_at_ts = backoff.retry_at(now, row_.retry_interval_ms, chance);
  last_attempt_ = now;
  unsaved_ = true;
  typing_.clear();
  if (row_.retry_interval_ms < keep_transaction_ms) return;
  current.reset();
  queue_.clear();
  fall_behind(std::exchange(read_up_to_, row_.cursor));
}

bool Destination::encourage(Timestamp now, const Backoff& backoff) {
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
