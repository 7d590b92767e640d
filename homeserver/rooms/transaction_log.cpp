#include "homeserver/rooms/transaction_log.hpp"

#include <cstring>

#include "schema/crypto/crypto.hpp"

namespace causeway {

namespace {

constexpr std::size_t max_events_per_device = 512;

}  // namespace

TransactionLog::TransactionLog(db::Database& database, std::size_t max_devices)
    : database_(database), max_devices_(max_devices) {}

db::TransactionKey TransactionLog::key_of(std::string_view path) {
  const crypto::Sha256 hash = crypto::sha256(path);
  db::TransactionKey key;
  std::memcpy(key.data(), hash.data(), key.size());
  return key;
}

void TransactionLog::Device::add(const db::TransactionKey& key, EventId event) {
  if (!events.try_emplace(key, std::move(event)).second) return;
  order.push_back(key);
  if (order.size() <= max_events_per_device) return;
  events.erase(order.front());
  order.pop_front();
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
  // From here on a retry waits for this attempt, also while the device's rows are being loaded.
  under_way_.emplace(id, std::make_shared<UnderWay>());
  claim.first = std::make_unique<Attempt>(*this, id);
  if (!devices_.contains(device)) co_await load(device);
  auto& known = devices_.at(device);
  used_.splice(used_.begin(), used_, known.used);
  if (auto event = known.events.find(key); event != known.events.end()) {
    claim.earlier = event->second;
    claim.first->finish(event->second);
    claim.first.reset();
  }
  co_return claim;
}

Task<> TransactionLog::load(DeviceNid device) {
  auto read = [device](db::Connection& connection) {
    return db::recent_transactions(connection, device, max_events_per_device);
  };
  auto rows = co_await database_.run(std::move(read));
  auto [known, added] = devices_.try_emplace(device);
  for (auto row = rows.rbegin(); row != rows.rend(); ++row)
    known->second.add(row->key, row->event);
  if (!added) co_return;
  used_.push_front(device);
  known->second.used = used_.begin();
  if (devices_.size() <= max_devices_) co_return;
  devices_.erase(used_.back());
  used_.pop_back();
}

Task<std::optional<EventId>> TransactionLog::look_up(DeviceNid device, db::TransactionKey key) {
  auto find = [device, key](db::Connection& connection) { return db::find_transaction(connection, device, key); };
  co_return co_await database_.run(std::move(find));
}

void TransactionLog::finished(const Id& id, Result<EventId> result) {
  auto found = under_way_.find(id);
  auto attempt = found->second;
  under_way_.erase(found);
  if (auto device = devices_.find(id.first); result && device != devices_.end()) device->second.add(id.second, *result);
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
