// What became of the requests that clients number: a retry gets the event of its first attempt, also while that is
// under way.
//
// spec: client-server-api#transaction-identifiers
#pragma once

#include <chrono>
#include <list>
#include <map>
#include <memory>
#include <unordered_map>

#include "homeserver/runtime/signal.hpp"
#include "schema/async/task.hpp"
#include "schema/db/database.hpp"
#include "schema/db/tables/transactions.hpp"

namespace causeway {

class TransactionLog {
 public:
  TransactionLog(db::Database& database, std::size_t max_bytes = 64 << 20);

  // A hash of the request's path: same path and device, same transaction.
  static db::TransactionKey key_of(std::string_view path);

  class Attempt;
  // Either the first attempt, which must run and finish(), or the result of an earlier one, waited for if need be.
  struct Claim {
    std::unique_ptr<Attempt> first;
    std::optional<Result<EventId>> earlier;
  };
  Task<Claim> claim(DeviceNid device, db::TransactionKey key);

  // In the table, for an identifier that is not known here.
  Task<std::optional<EventId>> look_up(DeviceNid device, db::TransactionKey key);
  // Deletes from the table what no client comes back for any more.
  Task<> delete_older_than(std::chrono::milliseconds retention);

 private:
  using Id = std::pair<DeviceNid, db::TransactionKey>;
  struct UnderWay {
    std::optional<Result<EventId>> result;
    Signal done;
  };
  // The newest of a device that this process has seen. For the others there is the table: it is asked when a device is
  // new here, and its unique key lets no identifier be used twice.
  struct Device {
    std::map<db::TransactionKey, EventId> events;
    std::list<db::TransactionKey> order;  // the oldest first
    std::list<DeviceNid>::iterator used;
    std::size_t bytes = 0;
  };
  void add(Device& device, const db::TransactionKey& key, EventId event);
  void forget_oldest(Device& device);
  Device& known(DeviceNid device);
  void finished(const Id& id, Result<EventId> result);

  db::Database& database_;
  std::size_t max_bytes_;
  std::size_t bytes_ = 0;  // of all devices
  std::map<Id, std::shared_ptr<UnderWay>> under_way_;
  std::unordered_map<DeviceNid, Device> devices_;
  std::list<DeviceNid> used_;  // the most recent first
};

// Ends as a failure when it is not finished, so that nobody waits for ever.
class TransactionLog::Attempt {
 public:
  Attempt(TransactionLog& log, Id id) : log_(log), id_(id) {}
  ~Attempt();
  void finish(Result<EventId> result);

 private:
  TransactionLog& log_;
  Id id_;
  bool finished_ = false;
};

}  // namespace causeway
