#include "homeserver/rooms/sending/transaction_log.hpp"

#include <cstring>

#include "homeserver/runtime/memory_use.hpp"
#include "schema/crypto/crypto.hpp"

namespace causeway {

namespace {

constexpr std::size_t max_events_per_device = 512;
constexpr std::size_t device_bytes = 512;

std::size_t bytes_of(const EventId& event) {
  return 2 * node_bytes + 2 * sizeof(db::TransactionKey) + sizeof(event) + heap_bytes(event.str());
}

constexpr std::int64_t blocks_per_step = 100;  // some 10,000 rows

}  // namespace

TransactionLog::TransactionLog(db::Database& database, std::size_t max_bytes)
    : database_(database), max_bytes_(max_bytes) {}

db::TransactionKey TransactionLog::key_of(std::string_view path) {
  const crypto::Sha256 hash = crypto::sha256(path);
  db::TransactionKey key;
  std::memcpy(key.data(), hash.data(), key.size());
  return key;
}

void TransactionLog::add(Device& device, const db::TransactionKey& key, EventId event) {
  const auto [added, is_new] = device.events.try_emplace(key, std::move(event));
  if (!is_new) return;
  device.order.push_back(key);
  device.bytes += bytes_of(added->second);
  bytes_ += bytes_of(added->second);
  if (device.order.size() > max_events_per_device) forget_oldest(device);
  while (bytes_ > max_bytes_ && used_.size() > 1) {
    const auto oldest = devices_.find(used_.back());
    bytes_ -= oldest->second.bytes;
    devices_.erase(oldest);
    used_.pop_back();
  }
}

void TransactionLog::forget_oldest(Device& device) {
  const auto oldest = device.events.find(device.order.front());
  device.bytes -= bytes_of(oldest->second);
  bytes_ -= bytes_of(oldest->second);
  device.events.erase(oldest);
  device.order.pop_front();
}

Task<TransactionLog::Claim> TransactionLog::claim(DeviceNid device, db::TransactionKey key) {
  const Id id(device, key);
  Claim claim;
  if (auto found = under_way_.find(id); found != under_way_.end()) {
    auto attempt = found->second;
    while (!attempt->result)
      co_await attempt->done.wait();
    claim.earlier = attempt->result;
    co_return claim;
  }
  // From here on a retry waits for this attempt, also while the table is being asked.
  under_way_.emplace(id, std::make_shared<UnderWay>());
  claim.first = std::make_unique<Attempt>(*this, id);
  std::optional<EventId> event;
  if (!devices_.contains(device)) event = co_await look_up(device, key);
  const auto& events = known(device).events;
  if (auto found = events.find(key); found != events.end()) event = found->second;
  if (event) {
    claim.earlier = *event;
    claim.first->finish(*event);
    claim.first.reset();
  }
  co_return claim;
}

TransactionLog::Device& TransactionLog::known(DeviceNid nid) {
  auto [entry, added] = devices_.try_emplace(nid);
  Device& device = entry->second;
  if (!added) {
    used_.splice(used_.begin(), used_, device.used);
    return device;
  }
  used_.push_front(nid);
  device.used = used_.begin();
  device.bytes = device_bytes;
  bytes_ += device_bytes;
  return device;
}

Task<std::optional<EventId>> TransactionLog::look_up(DeviceNid device, db::TransactionKey key) {
  auto find = [device, key](db::Connection& connection) { return db::find_transaction(connection, device, key); };
  co_return co_await database_.run(std::move(find));
}

Task<> TransactionLog::delete_older_than(std::chrono::milliseconds retention) {
  std::optional<std::int64_t> block = 0;
  while (block) {
    auto step = [first = *block, retention](db::Connection& connection) {
      return db::delete_old_transactions(connection, retention.count(), first, blocks_per_step);
    };
    block = co_await database_.run(std::move(step));
  }
}

void TransactionLog::finished(const Id& id, Result<EventId> result) {
  auto found = under_way_.find(id);
  auto attempt = found->second;
  under_way_.erase(found);
  if (result) add(known(id.first), id.second, *result);
  attempt->result = std::move(result);
  attempt->done.notify_all();
}

TransactionLog::Attempt::~Attempt() {
  if (!finished_) finish(make_error(ErrorCode::unknown, 500, "The first attempt of this request failed."));
}

void TransactionLog::Attempt::finish(Result<EventId> result) {
  finished_ = true;
  log_.finished(id_, std::move(result));
}

}  // namespace causeway
