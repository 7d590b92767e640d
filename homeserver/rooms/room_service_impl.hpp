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
#include "homeserver/rooms/head/transaction_log.hpp"
#include "homeserver/rooms/making/carried_state.hpp"
#include "homeserver/rooms/receiving/backfiller.hpp"
#include "homeserver/rooms/receiving/receiver.hpp"
#include "homeserver/rooms/room_service.hpp"

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
  ToldStates told;
  InboundPlacer placer;
  EventJudge judge;
  InboundEvents inbound;
  ExtremityMerger merger;
  Receiver receiver;
  StateFetcher fetcher;
  Backfiller backfiller;
  TransactionLog transactions;
  std::set<std::string> aliases_under_way;   // being given to a room
  std::set<std::string> upgrades_under_way;  // IDs of rooms being replaced
  std::uint64_t profile_changes = 0;         // of any user

  bool is_local(const UserId& user) const { return user.server() == services.self.name.str(); }

  // sending.cpp
  // Builds on the head into the unit. May run again on another head. Appends nothing when there is nothing to do.
  using LocalJob = std::function<Task<Result<EventId>>(RoomHead& head, WriteUnit& unit)>;
  // Runs a job in the lane of a room that this server is in, or that is known all the same, and commits.
  enum class Presence { needed, not_needed };
  Task<Result<EventId>> commit_in_lane(RoomId room, LocalJob job, Presence presence = Presence::needed);
  Task<Result<EventId>> send(SendEvent request);
  Task<Result<EventId>> send_once(SendEvent request, std::optional<TransactionRecord> transaction);
  Task<Result<EventId>> append_event(RoomHead& head, WriteUnit& unit, LocalDraft draft);
  // What a client may write of the types that this server reads.
  Task<Result<>> check_content(const SendEvent& request);
  Task<Result<>> check_canonical_alias(RoomInfoPtr room, const SendEvent& request);

  Task<Result<EventId>> send_member_event(SendEvent request);
  // A join of the sender's own, authorised where the room is restricted.
  Task<Result<EventId>> append_join(RoomHead& head, WriteUnit& unit, LocalDraft draft, db::Membership current);

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
  // What a user set for a room's predecessor, when they come into the room.
  Task<> carry_settings_over(Sender user, RoomId into);
  Task<RoomInfoPtr> predecessor_of(RoomId room);

  // memberships.cpp
  Task<Result<>> change_membership(ChangeMembership request);
  Task<Result<>> join(ChangeMembership request);
  Task<Result<>> invite(ChangeMembership request);
  Task<Result<>> leave(ChangeMembership request);
  Task<Result<>> leave_resident_room(ChangeMembership request, RoomInfoPtr room);
  Task<Result<>> leave_known_room(ChangeMembership request, Presence presence);
  Task<Result<>> change_locally(ChangeMembership request);
  Task<boost::json::object> membership_content(ChangeMembership request);
  Task<> add_profile(boost::json::object& content, UserId user);
  Task<Result<>> forget(Sender user, RoomId room);
  Task<> update_profile_in_rooms(Sender user, std::optional<std::string> display_name,
                                 std::optional<std::string> avatar_url);
  Task<> update_profile_in_room(Sender user, RoomMembership membership, boost::json::object profile);
  // After a join: takes over what the profile has become since `seen`.
  Task<> catch_up_with_profile(Sender user, RoomId room, std::uint64_t seen);

  static LocalDraft member_draft(const ChangeMembership& request, boost::json::object content);
  Task<db::Membership> membership_in(RoomHead& head, UserId user);
  // A local user's, once nothing of the room is in flight; nothing where there is none.
  Task<Result<std::optional<RoomMembership>>> settled_membership(RoomLock& lock, UserNid user);

  // invite_permission.cpp
  Task<Result<>> check_may_be_invited(UserId user);  // M_INVITE_BLOCKED: a local user who wants no invites
  // Bytes of a room's state that may be kept with one more invite by a user of that server. M_FORBIDDEN: too many are
  // open.
  Task<Result<std::size_t>> space_for_invite(UserNid user, ServerName inviter);

  // restricted_joins.cpp
  Task<Result<std::optional<UserId>>> authorise_restricted_join(RoomHead& head, UserId user, db::Membership current);

  // remote_memberships.cpp
  Task<Result<EventId>> invite_remote_user(ChangeMembership request, boost::json::object content);
  Task<Result<>> leave_remote_room(ChangeMembership request, RoomInfoPtr room);
  Task<bool> is_abandoned(RoomInfoPtr room, UserId user, RoomMembership membership);
  Task<Result<EventPtr>> own_leave(ChangeMembership request, RoomMembership ended);
  Task<Result<bool>> end_unknown_invite(ChangeMembership request, RoomInfoPtr room);
  Task<ReceiveOutcome> receive_withdrawal(ServerName origin, VerifiedEvent withdrawal);
  Task<ReceiveOutcome> withdraw_invite(RoomLock& lock, ServerName origin, VerifiedEvent withdrawal);
  Task<StoredEventPtr> cited_invite(RoomLock& lock, EventPtr event);
  Task<Result<>> end_membership(RoomLock& lock, UserNid user, RoomMembership ended, EventPtr end,
                                db::EventFlags flags = db::EventFlags::none);
  Task<Result<EventNid>> add_foreign_outlier(WriteUnit& unit, EventPtr event,
                                             db::EventFlags flags = db::EventFlags::none);
  Task<std::vector<EventPtr>> stripped_state(RoomHead& head, UserId inviter);
  Task<std::vector<ServerName>> servers_to_try(const ChangeMembership& request, RoomInfoPtr room);

  // remote_join.cpp
  Task<Result<>> join_remote_room(ChangeMembership request, boost::json::object content, RoomInfoPtr room);
  Task<Result<>> import_join(RoomId room, RemoteJoin joined);
  Task<Result<Outliers::Stored>> store_snapshot(RoomLock& lock, const RemoteJoin& joined);
  Task<Result<>> start_from_snapshot(RoomLock lock, const RemoteJoin& joined, Outliers::Stored outliers);

  // peers_memberships.cpp
  Task<Result<EventTemplate>> make_membership_template(RoomId room, UserId user, std::string membership,
                                                       std::vector<std::string> supported_versions);
  Task<Result<StoredEventPtr>> accept_membership(EventPtr event);
  Task<Result<>> recheck_restricted_join(EventPtr join);
  Task<Result<EventPtr>> countersign_restricted_join(EventPtr join);
  Task<Result<>> check_join_now(RoomInfoPtr room, EventPtr join);
  // What a join is answered with: the state before it, and the auth chain of that and of the join.
  struct JoinState {
    StateRef at;
    std::vector<StoredEventPtr> state, auth_chain;
  };
  Task<Result<JoinState>> join_state(RoomInfoPtr room, StateRef at, EventPtr join);
  Task<Result<JoinReply>> accept_join(ServerName origin, VerifiedEvent join);
  Task<Result<>> accept_leave(ServerName origin, VerifiedEvent leave);
  Task<Result<EventPtr>> accept_invite(ServerName origin, VerifiedEvent invite, boost::json::array stripped_state);

  // aliases.cpp
  Task<Result<>> create_alias(Sender user, RoomAlias alias, RoomId room);
  Task<Result<>> delete_alias(Sender user, RoomAlias alias);
  Task<Result<>> set_published(Sender user, RoomId room, bool published);
  // Members with the power that this type of state takes.
  Task<bool> may_set_state(RoomInfoPtr room, UserId user, const char* type);
  Task<Result<ResolvedAlias>> resolve_alias(RoomAlias alias);
};

}  // namespace causeway
