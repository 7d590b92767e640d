// What the user keeps on the server for the client, for all rooms and for each.
//
// spec: client-server-api#client-config
#pragma once

#include <unordered_map>
#include <vector>

#include "homeserver/accounts/account_service.hpp"
#include "homeserver/sync/reply_budget.hpp"
#include "homeserver/sync/sections/section.hpp"
#include "schema/db/tables/account_data.hpp"

namespace causeway {

class AccountDataSection final : public Section {
 public:
  AccountDataSection(db::Database& database, AccountService& accounts, ReplyBudget& budget)
      : database_(database), accounts_(accounts), budget_(budget) {}

  Task<> read(const SyncSpan& span) override;
  bool concerns(RoomNid room) const override { return rooms_.contains(room); }
  Task<> read_rooms(const SyncSpan& span, const std::vector<RoomPart>& rooms) override;
  bool empty() const override { return global_.empty(); }
  bool empty_in(RoomNid room) const override { return !rooms_.contains(room); }
  void write(std::string& out) const override;
  void write_room(V3Room& out, RoomNid room) const override;

  // After read: invites that were kept back may be told now.
  bool invite_permission_changed() const { return invite_permission_changed_; }

 private:
  using Entries = std::vector<db::AccountData>;
  using ByRoom = std::unordered_map<RoomNid, Entries>;
  void add_changed(const SyncSpan& span, Entries changed);
  Task<> add_push_rules(const SyncSpan& span);
  Task<> read_fresh_rooms(const SyncSpan& span, const std::vector<RoomPart>& rooms);

  db::Database& database_;
  AccountService& accounts_;
  ReplyBudget& budget_;
  Entries global_;
  ByRoom rooms_;  // before read_rooms: all that changed, after it: what is told
  bool has_push_rules_ = false, invite_permission_changed_ = false;
};

}  // namespace causeway
