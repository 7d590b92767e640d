// The receipts of this process's life, in memory and bounded, so that an idle /sync needs no query.
#pragma once

#include <deque>
#include <unordered_map>
#include <vector>

#include "homeserver/stream/stream_hub.hpp"
#include "homeserver/sync/receipts.hpp"

namespace causeway {

class RecentReceipts {
 public:
  explicit RecentReceipts(const StreamHub& hub, std::size_t max_bytes = 32 << 20) : hub_(hub), max_bytes_(max_bytes) {}

  void append(const Committed& facts);

  // No receipt with a greater position is missing here.
  StreamPosition complete_after() const { return complete_after_.value_or(hub_.recent().complete_after()); }
  StreamPosition last_in_room(RoomNid room) const;
  // As ReceiptService::changed. Precondition: since >= complete_after().
  ReceiptService::ByRoom changed(const std::vector<RoomNid>& rooms, StreamPosition since, StreamPosition until,
                                 UserNid for_user) const;

 private:
  struct Entry {
    UserNid user{};
    ReceiptService::Receipt receipt;
  };
  static std::size_t bytes_of(const Entry& entry);
  void forget_oldest();

  const StreamHub& hub_;
  std::size_t max_bytes_;
  std::size_t bytes_ = 0;
  std::optional<StreamPosition> complete_after_;  // known once something was committed
  std::unordered_map<RoomNid, std::deque<Entry>> rooms_;
  std::deque<RoomNid> order_;  // the room of every entry, oldest first
};

}  // namespace causeway
