#include "homeserver/sync/recent_receipts.hpp"

#include "homeserver/runtime/memory_use.hpp"

namespace causeway {

void RecentReceipts::append(const Committed& facts) {
  if (!complete_after_) complete_after_ = hub_.recent().complete_after();
  for_each_change<db::ReceiptChange>(facts, [&](const auto& change) {
    Entry& entry = rooms_[change.room].emplace_back();
    entry.user = change.user;
    entry.receipt.user = change.user_id;
    entry.receipt.type = change.receipt_type;
    entry.receipt.thread_id = change.thread_id;
    entry.receipt.event = change.event_id;
    entry.receipt.ts = change.ts;
    entry.receipt.position = change.position;
    bytes_ += bytes_of(entry);
    order_.push_back(change.room);
  });
  while (bytes_ + rooms_.size() * (node_bytes + deque_bytes) > max_bytes_ && !order_.empty())
    forget_oldest();
}

std::size_t RecentReceipts::bytes_of(const Entry& entry) {
  const ReceiptService::Receipt& receipt = entry.receipt;
  return sizeof(Entry) + sizeof(RoomNid) + heap_bytes(receipt.user.str()) + heap_bytes(receipt.type) +
         heap_bytes(receipt.thread_id) + heap_bytes(receipt.event.str());
}

void RecentReceipts::forget_oldest() {
  auto room = rooms_.find(order_.front());
  order_.pop_front();
  complete_after_ = room->second.front().receipt.position;
  bytes_ -= bytes_of(room->second.front());
  room->second.pop_front();
  if (room->second.empty()) rooms_.erase(room);
}

StreamPosition RecentReceipts::last_in_room(RoomNid room) const {
  auto found = rooms_.find(room);
  return found == rooms_.end() ? complete_after() : found->second.back().receipt.position;
}

ReceiptService::ByRoom RecentReceipts::changed(const std::vector<RoomNid>& rooms, StreamPosition since,
                                               StreamPosition until, UserNid for_user) const {
  ReceiptService::ByRoom result;
  for (RoomNid room : rooms) {
    auto found = rooms_.find(room);
    if (found == rooms_.end() || found->second.back().receipt.position <= since) continue;
    const auto& entries = found->second;
    const auto first = std::partition_point(entries.begin(), entries.end(),
                                            [&](const Entry& entry) { return entry.receipt.position <= since; });
    // Only the last of each user, type and thread: an earlier one is no longer true.
    std::map<std::tuple<UserNid, std::string_view, std::string_view>, const ReceiptService::Receipt*> last;
    for (auto entry = first; entry != entries.end() && entry->receipt.position <= until; ++entry) {
      if (entry->receipt.type == "m.read.private" && entry->user != for_user) continue;
      last[{entry->user, entry->receipt.type, entry->receipt.thread_id}] = &entry->receipt;
    }
    for (const auto& [key, receipt] : last)
      result[room].push_back(*receipt);
  }
  return result;
}

}  // namespace causeway
