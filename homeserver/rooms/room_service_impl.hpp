// The parts of RoomService, private to this folder: one source file per job.
#pragma once

#include <functional>
#include <set>

#include "homeserver/rooms/auth/auth_state.hpp"
#include "homeserver/rooms/head/forked_state.hpp"
#include "homeserver/rooms/head/room_builder.hpp"
#include "homeserver/rooms/head/room_head.hpp"
#include "homeserver/rooms/head/transaction_log.hpp"
#include "homeserver/rooms/making/carried_state.hpp"
#include "homeserver/rooms/receiving/outlier_judgement.hpp"
#include "homeserver/rooms/room_service.hpp"
#include "schema/db/tables/room_purges.hpp"

namespace causeway {

// The levels of a room, with the events they are read from.
class RoomPowerLevels {
 public:
  RoomPowerLevels(EventPtr levels, EventPtr create)
      : levels_(std::move(levels)), create_(std::move(create)), read_(levels_.get(), create_.get()) {}
  const PowerLevels* operator->() const { return &read_; }

 private:
  EventPtr levels_, create_;
  PowerLevels read_;
};

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
  RemoteServers* remote = nullptr;
  RoomHeads heads;
  RoomBuilder builder;
  AuthGraphs graphs;
  TransactionLog transactions;
  std::set<std::string> aliases_under_way;   // being given to a room
  std::set<std::string> upgrades_under_way;  // IDs of rooms being replaced
  std::uint64_t profile_changes = 0;         // of any user
  prometheus::Counter& accepted_events;
  prometheus::Counter& soft_failed_events;
  prometheus::Counter& rejected_events;
  prometheus::Counter& unresolved_events;  // a state resolution is out of bounds

  ForkedState::Services services_of_forks() {
    return {services.events, services.states, services.interner, heads, builder, graphs, services.cpu, services.bounds};
  }
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

  // redactions.cpp
  Task<RoomPowerLevels> power_levels(RoomHead& head);  // of the current state
  Task<RoomPowerLevels> levels_cited(RoomHead& head, std::vector<StoredEventPtr> auth_events);
  Task<Result<>> may_send_redaction(RoomHead& head, UserId sender, EventId target);
  // Redacts what an accepted redaction names, or records it until that arrives.
  Task<> redact_target(RoomHead& head, WriteUnit& unit, NewEventPtr redaction, RoomPowerLevels levels);
  // The other way round: the event that a redaction has been waiting for.
  using WaitingRedactions = std::unordered_map<EventId, std::vector<StoredEventPtr>>;  // by their target
  Task<WaitingRedactions> waiting_redactions(std::vector<EventPtr> arriving);
  Task<> apply_waiting_redactions(RoomHead& head, WriteUnit& unit, NewEventPtr arrived,
                                  const WaitingRedactions& waiting);

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

  // outliers.cpp
  struct StoredOutliers {
    KnownEvents known;              // what was given, and what that cites, stored now or before
    std::vector<EventId> left_out;  // auth events are not here
  };
  // In the room's lane, or of a room that nobody else knows yet.
  Task<Result<StoredOutliers>> store_outliers(RoomNid room, std::vector<VerifiedEvent> events,
                                              std::optional<NewRoom> new_room);
  Task<std::vector<NewEventPtr>> as_outliers(RoomNid room, const std::vector<VerifiedEvent>& events,
                                             const KnownEvents& unjudged);
  Task<std::vector<EventId>> add_outliers(RoomId room, const RoomVersion* version, std::vector<VerifiedEvent> events);

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
  Task<Result<StoredOutliers>> store_snapshot(RoomLock& lock, const RemoteJoin& joined);
  Task<Result<>> start_from_snapshot(RoomLock lock, const RemoteJoin& joined, StoredOutliers outliers);

  // receiving.cpp
  struct Inbound {
    static Inbound of(const VerifiedEvent& event) {
      Inbound inbound;
      inbound.event = event.event();
      inbound.hash_mismatch = event.hash_mismatch();
      return inbound;
    }
    EventPtr event;
    bool local = false;  // owed to the room's other servers
    bool hash_mismatch = false;
    bool only_if_accepted = false;  // else nothing is stored
    std::vector<ToldState> told;    // of prev_events that are not here, or of the event itself
    // Of this one among its prev_events.
    bool tells_of(const EventId& missing) const {
      return std::ranges::any_of(told, [&](const auto& one) { return one.of == missing || one.of == event->id(); });
    }
  };
  struct Appended {
    ReceiveOutcome outcome;
    StoredEventPtr stored;
  };
  struct Surroundings {
    std::optional<ReceiveOutcome> outcome;  // what it comes to already
    StoredEventPtr existing;                // it was here as an outlier
    std::vector<StoredEventPtr> prev, auth;
    std::vector<EventId> missing_prev;
    bool at_tip = false;  // its prev_events are the head's extremities
  };
  // Events of one unit, and what became of each.
  struct Run {
    WriteUnitPtr unit;
    std::vector<Appended> appended;
  };
  // Of one room, in their order.
  Task<std::vector<ReceiveOutcome>> receive(ServerName origin, RoomId room, std::vector<Inbound> events);
  Task<Appended> append_inbound(Inbound inbound);
  // Nothing is stored of what is not accepted. Of what was here already, `outcome` says whether it was accepted then.
  Task<Appended> append_if_accepted(Inbound inbound);
  Task<std::vector<Appended>> append_inbound(RoomId room, std::vector<Inbound> batch);
  Task<Run> append_run(RoomHead& head, std::vector<const Inbound*> events);
  Task<KnownEvents> named_by(std::vector<EventPtr> events);
  // `placed`: events of the same unit.
  Surroundings look_around(const RoomHead& head, const Inbound& inbound, const KnownEvents& known,
                           const KnownEvents& placed);
  Task<NewEventPtr> stored_form(RoomHead& head, const Inbound& inbound, const Surroundings& around);
  Task<Result<StateRef>> find_state_before(RoomHead& head, ForkedState& forked, const Inbound& inbound,
                                           const Surroundings& around);
  Task<Appended> judge_and_append(RoomHead& head, ForkedState& forked, WriteUnit& unit, const Inbound& inbound,
                                  Surroundings around, const WaitingRedactions& redactions);
  enum class Against { state_before, current_state_too };
  Task<ReceiveOutcome> judge(RoomHead& head, ForkedState& forked, const StoredEvent& stored,
                             const std::vector<StoredEventPtr>& auth, Against against = Against::current_state_too);
  static bool was_accepted(const Surroundings& around);  // as an outlier
  static void mark(StoredEvent& stored, const Surroundings& around, Received result);
  static std::vector<StateKey> keys_that_judge(const Event& event);
  Task<AuthEvents> auth_state_at(ForkedState& forked, StateRef at, const Event& event);
  Task<Result<>> append_beside(RoomHead& head, WriteUnit& unit, ForkedState& forked, NewEventPtr stored,
                               Received result);
  Task<bool> wait_for_join(RoomId room);
  void count_received(Received result);

  // told_states.cpp
  static bool builds_on_told(const Inbound& inbound, const Surroundings& around);
  // The states after prev_events that are not here. M_NOT_FOUND: what is told can't be one.
  Task<Result<std::vector<StateMapPtr>>> told_states(const RoomHead& head, const Inbound& inbound,
                                                     const Surroundings& around);
  Task<> apply_told(RoomNid room, StateMap& state, const ToldState& told);
  Task<bool> is_allowed_by(const StateMap& state, EventPtr event);

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

  // backfill.cpp
  using RootStates = std::unordered_map<EventId, std::vector<EventId>>;  // state before an event, by its ID
  Task<Result<>> backfill(RoomInfoPtr room, OrderKey before, std::size_t limit);
  Task<RootStates> fetch_root_states(RoomInfoPtr room, std::vector<EventPtr> roots, std::vector<ServerName> servers);
  Task<Result<std::vector<EventId>>> fetch_state(RoomInfoPtr room, EventId before, ServerName from);
  Task<Result<std::vector<VerifiedEvent>>> fetch_events_of_state(RoomInfoPtr room, EventId before,
                                                                 std::vector<EventId> missing, ServerName from);
  Task<Result<>> append_backfilled(RoomId room, OrderKey later, std::vector<VerifiedEvent> events, RootStates states);
  Task<NewEventPtr> place_backfilled(RoomHead& head, WriteUnit& unit, ForkedState& forked, const VerifiedEvent& event,
                                     const RootStates& states, const KnownEvents& known, const KnownEvents& placed,
                                     const WaitingRedactions& redactions);

  // merging.cpp
  // Where a room has many forward extremities, merges them by events that no client sees.
  Task<> merge_extremities(RoomId room);
  Task<Result<EventPtr>> build_merge(RoomId room);
  Task<std::optional<LocalDraft>> draft_merge(RoomHead& head);

  // purging.cpp
  Task<std::size_t> purge_forgotten_rooms(std::chrono::milliseconds retention);
  Task<bool> try_purge(db::RoomPurge purge);
  Task<bool> begin_purge(db::RoomPurge purge);
  // In the lane. True: the room is unknown now.
  Task<bool> begin_purge(RoomLock& lock, db::PurgeIf condition);
  Task<> finish_purge(RoomNid room);
  // Before a room of that ID is made anew.
  Task<> finish_purge(RoomId room);

  // aliases.cpp
  Task<Result<>> create_alias(Sender user, RoomAlias alias, RoomId room);
  Task<Result<>> delete_alias(Sender user, RoomAlias alias);
  Task<Result<>> set_published(Sender user, RoomId room, bool published);
  // Members with the power that this type of state takes.
  Task<bool> may_set_state(RoomInfoPtr room, UserId user, const char* type);
  Task<Result<ResolvedAlias>> resolve_alias(RoomAlias alias);
};

}  // namespace causeway
