// How far members have read a room.
//
// spec: client-server-api#mreceipt
#pragma once

#include "homeserver/sync/receipts.hpp"
#include "homeserver/sync/reply_budget.hpp"
#include "homeserver/sync/sections/section.hpp"

namespace causeway {

class ReceiptsSection final : public Section {
 public:
  ReceiptsSection(ReceiptService& receipts, ReplyBudget& budget) : receipts_(receipts), budget_(budget) {}

  Task<> read(const SyncSpan& span) override;
  bool concerns(RoomNid room) const override { return receipts_.last_in_room(room) > since_; }
  Task<> read_rooms(const SyncSpan& span, const std::vector<RoomPart>& rooms) override;
  bool empty_in(RoomNid room) const override { return !told_.contains(room); }
  void write_room(V3Room& out, RoomNid room) const override;

 private:
  ReceiptService& receipts_;
  ReplyBudget& budget_;
  StreamPosition since_ = 0;
  ReceiptService::ByRoom told_;
};

}  // namespace causeway
