// The parts of RoomService, private to this folder: one source file per job.
#pragma once

#include <functional>
#include <set>

#include "homeserver/rooms/auth/auth_state.hpp"
#include "homeserver/rooms/head/forked_state.hpp"
#include "homeserver/rooms/head/head_state.hpp"
#include "homeserver/rooms/head/redactions.hpp"
#include "homeserver/rooms/head/room_builder.hpp"
#include "homeserver/rooms/head/room_head.hpp"
#include "homeserver/rooms/head/room_purger.hpp"
#include "homeserver/rooms/making/carried_state.hpp"
#include "homeserver/rooms/members/invite_withdrawals.hpp"
#include "homeserver/rooms/members/invites_from_peers.hpp"
#include "homeserver/rooms/members/memberships.hpp"
#include "homeserver/rooms/members/peers_memberships.hpp"
#include "homeserver/rooms/receiving/backfiller.hpp"
#include "homeserver/rooms/receiving/receiver.hpp"
#include "homeserver/rooms/room_service.hpp"
#include "homeserver/rooms/sending/lane_writer.hpp"

namespace causeway {

// Keeps others from doing the same with the same thing (giving an alias to a room, replacing a room) meanwhile.
class NameGuard {
 public:
  NameGuard(std::set<std::string>& under_way, std::string name) : under_way_(under_way), name_(std::move(name)) {
    held_ = under_way_.insert(name_).second;
  }
  NameGuard(const NameGuard&) = delete;
  NameGuard& operator=(const NameGuard&) = delete;
  ~NameGuard() {
    if (held_) under_way_.erase(name_);
  }
  bool held() const { return held_; }

 private:
  std::set<std::string>& under_way_;
  std::string name_;
  bool held_ = false;
};

struct RoomService::Impl {
  explicit Impl(Services services);

  Services services;
  BoundRemoteServers remote;
  RoomHeads heads;
  RoomBuilder builder;
  AuthGraphs graphs;
  const ForkedState::Services forks;
  Redactions redactions;
  RoomPurger purger;
  Outliers outliers;
  ToldStates told_states;
  InboundPlacer placer;
  EventJudge judge;
  InboundEvents inbound;
  ExtremityMerger merger;
  Receiver receiver;
  StateFetcher fetcher;
  Backfiller backfiller;
  TransactionLog transactions;
  LaneWriter lane;
  MemberProfiles profiles;
  RestrictedJoins restricted;
  InvitePermission permission;
  ForeignMemberships foreign;
  InviteWithdrawals withdrawals;
  RemoteInviter inviter;
  RemoteJoiner joiner;
  RemoteLeaver leaver;
  CarriedSettings settings;
  Memberships memberships;
  PeersMemberships peers;
  InvitesFromPeers invites_from_peers;
  std::set<std::string> aliases_under_way;   // being given to a room
  std::set<std::string> upgrades_under_way;  // IDs of rooms being replaced

  Task<Result<EventId>> send(SendEvent request);
  Task<Result<EventId>> send_once(SendEvent request, std::optional<TransactionRecord> transaction);
  // What a client may write of the types that this server reads.
  Task<Result<>> check_content(const SendEvent& request);
  Task<Result<>> check_canonical_alias(RoomInfoPtr room, const SendEvent& request);

  // create_room.cpp
  struct RoomPlan;
  // A room that only needs to be committed.
  struct BegunRoom {
    BegunRoom(RoomId id, RoomLock held, WriteUnitPtr first)
        : room(std::move(id)), lock(std::move(held)), unit(std::move(first)) {}
    RoomId room;
    RoomLock lock;
    WriteUnitPtr unit;
  };
  Task<Result<RoomId>> create_room(CreateRoom request);
  Result<RoomPlan> plan_room(const CreateRoom& request) const;
  static Result<> check_plan(const CreateRoom& request, const RoomPlan& plan);
  // `chosen`: the room's ID, where the version lets it be chosen and it must be known before.
  Task<Result<BegunRoom>> begin_room(const CreateRoom& request, std::optional<RoomId> chosen);
  Task<Result<BegunRoom>> begin_room(const CreateRoom& request, RoomPlan& plan, std::optional<RoomId> chosen);
  RoomId choose_room_id() const;
  Task<std::vector<LocalDraft>> first_events(const CreateRoom& request, RoomPlan& plan);
  Task<WriteUnitPtr> first_unit(RoomLock& lock, const RoomPlan& plan, NewEventPtr create, const CreateRoom& request);
  Task<Result<>> invite_into(RoomId room, const CreateRoom& request, UserId invited);

  // upgrade_room.cpp
  Task<Result<RoomId>> upgrade_room(UpgradeRoom request);
  // The same user's earlier upgrade to this version, if it is still what they want.
  Task<std::optional<RoomId>> replacement_made_before(RoomInfoPtr room, const RoomVersion& version,
                                                      const UpgradeRoom& request);
  Task<Result<RoomId>> replace_room(const UpgradeRoom& request, const RoomVersion& version);
  // What happens in the old room goes into `unit`; the new one's events into a unit of its own.
  Task<Result<BegunRoom>> begin_replacement(RoomHead& head, WriteUnit& unit, const UpgradeRoom& request,
                                            const RoomVersion& version);
  Task<CreateRoom> replacement_for(RoomInfoPtr room, const RoomVersion& version, const UpgradeRoom& request);
  Task<CarriedAliases> carried_aliases(RoomHead& head);
  Task<Result<EventId>> append_state(RoomHead& head, WriteUnit& unit, const Sender& sender, const char* type,
                                     boost::json::object content);
  Task<> quieten(RoomHead& head, WriteUnit& unit, const Sender& sender);

  // aliases.cpp
  Task<Result<>> create_alias(Sender user, RoomAlias alias, RoomId room);
  Task<Result<>> delete_alias(Sender user, RoomAlias alias);
  Task<Result<>> set_published(Sender user, RoomId room, bool published);
  // Members with the power that this type of state takes.
  Task<bool> may_set_state(RoomInfoPtr room, UserId user, const char* type);
  Task<Result<ResolvedAlias>> resolve_alias(RoomAlias alias);
};

}  // namespace causeway
