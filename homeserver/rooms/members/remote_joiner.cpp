#include "homeserver/rooms/members/remote_joiner.hpp"

#include "homeserver/runtime/phase_timer.hpp"
#include "schema/log.hpp"

namespace causeway {

namespace {

// Marks a join as under way, so that inbound events wait for its end instead of being refused.
class JoinUnderWay {
 public:
  explicit JoinUnderWay(std::shared_ptr<RoomSlot> slot) : slot_(std::move(slot)) { ++slot_->joins; }
  JoinUnderWay(const JoinUnderWay&) = delete;
  JoinUnderWay& operator=(const JoinUnderWay&) = delete;
  ~JoinUnderWay() {
    if (--slot_->joins == 0) slot_->joined.notify_all();
  }

 private:
  std::shared_ptr<RoomSlot> slot_;
};

MatrixError bad_answer(std::string message) {
  return make_error(ErrorCode::unknown, 502, std::move(message));
}

// All of it is of this room.
Result<> check_rooms(const RoomId& room, const RemoteJoin& joined) {
  for (const auto* events : {&joined.state, &joined.auth_chain})
    for (const auto& event : *events)
      if (event.event()->room_id() != room) return bad_answer("The resident server sent events of another room.");
  return {};
}

}  // namespace

Task<Result<>> RemoteJoiner::join(ChangeMembership request, boost::json::object content,
                                  std::vector<ServerName> servers) {
  if (servers.empty())
    co_return make_error(ErrorCode::not_found, "This server knows of no server that is in that room.");
  auto slot = services_.heads.slot(request.room);
  const JoinUnderWay under_way(std::move(slot));
  MembershipTemplate wanted;
  wanted.room_id = request.room;
  wanted.user = request.target;
  wanted.membership = "join";
  wanted.content = std::move(content);
  wanted.content.erase("membership");
  auto joined = co_await services_.remote->join(std::move(wanted), std::move(servers));
  if (!joined) co_return joined.error();
  co_return co_await import(request.room, std::move(*joined));
}

Task<Result<>> RemoteJoiner::import(RoomId room_id, RemoteJoin joined) {
  if (auto checked = check_rooms(room_id, joined); !checked) co_return checked.error();
  PhaseTimer timer = time_remote_join(services_.metrics);
  // Nothing of an answer that can't be used stays behind.
  auto check = [joined] { return check_join_answer(joined); };
  auto usable = co_await services_.cpu.run(std::move(check));
  if (!usable) co_return usable.error();
  timer.end("judge");
  Inbound inbound;
  inbound.event = joined.join_event.event();
  {
    auto lock = co_await services_.heads.enter(room_id);
    if (!lock) co_return lock.error();
    if (lock->known() && lock->head().version != joined.version) {
      // An invite may have told another version: what is known by it alone gives way.
      const std::string version(lock->head().version->id);
      const bool gave_way = co_await services_.purger.begin(*lock, db::PurgeIf::never_accepted);
      if (!gave_way) co_return bad_answer("The room is known here as one of version " + version + ".");
    }
    const bool resident = lock->known() && lock->head().in_room(services_.self.name);
    auto outliers = co_await store_snapshot(*lock, joined);
    if (!outliers) co_return outliers.error();
    timer.end("store");
    if (!resident) {
      auto started = co_await start_from_snapshot(std::move(*lock), joined, std::move(*outliers));
      timer.end("start");
      co_return started;
    }
    ToldState told{inbound.event->id(), {}};
    for (const auto& event : joined.state)
      if (outliers->known.contains(event.event()->id())) told.before.push_back(event.event()->id());
    inbound.told.push_back(std::move(told));
  }
  // Another local user came in meanwhile: this join is a branch. What it builds on may be here by now.
  auto appended = co_await services_.inbound.append_if_accepted(std::move(inbound));
  if (appended.outcome.result == Received::accepted) co_return Result<>{};
  co_return make_error(ErrorCode::forbidden, appended.outcome.reason);
}

Task<Result<Outliers::Stored>> RemoteJoiner::store_snapshot(RoomLock& lock, const RemoteJoin& joined) {
  std::vector<VerifiedEvent> events = joined.auth_chain;
  events.insert(events.end(), joined.state.begin(), joined.state.end());
  std::optional<NewRoom> new_room;
  RoomNid nid{};
  if (lock.known()) {
    nid = lock.head().nid;
  } else {
    co_await services_.purger.finish(joined.join_event.event()->room_id());
    nid = co_await services_.interner.next_room();
    new_room.emplace();
    new_room->room_id = joined.join_event.event()->room_id();
    new_room->version = joined.version->id;
    new_room->created_ts = services_.clock.now_ms();
  }
  auto stored = co_await services_.outliers.store(nid, std::move(events), std::move(new_room));
  if (!stored) co_return stored.error();
  if (!stored->left_out.empty())
    log::warn("{} events of a snapshot cite what was not sent with it", stored->left_out.size());
  if (!lock.known()) services_.heads.make_head(lock, nid, *joined.version);
  co_return stored;
}

Task<Result<>> RemoteJoiner::start_from_snapshot(RoomLock lock, const RemoteJoin& joined, Outliers::Stored outliers) {
  RoomHead& head = lock.head();
  auto snapshot = std::make_shared<StateMap>();
  for (const auto& event : joined.state) {
    auto found = outliers.known.find(event.event()->id());
    if (found == outliers.known.end() || !found->second->key || !found->second->counts()) continue;
    (*snapshot)[*found->second->key] = found->second->nid;
  }
  auto unit = std::make_shared<WriteUnit>();
  ForkedState forked(services_.forks, head, *unit);
  co_await forked.replace_current(std::move(snapshot), 0);

  Inbound inbound;
  inbound.event = joined.join_event.event();
  std::vector<EventPtr> arriving(1, inbound.event);
  const auto known = co_await services_.placer.named_by(std::move(arriving));
  const KnownEvents nothing_else;
  auto around = look_around(head, inbound, known, nothing_else);
  auto stored = co_await services_.placer.stored_form(head, inbound, around);
  stored->before = head.current();
  auto judged = co_await services_.judge.judge(head, forked, *stored, around.auth);
  if (judged.result != Received::accepted)
    co_return make_error(ErrorCode::forbidden, "The room's state does not allow the join: " + judged.reason);
  if (!around.missing_prev.empty()) stored->flags = stored->flags | db::EventFlags::behind_gap;
  // What this server knew of the room before it left is history; the room goes on from the join.
  head.extremities.clear();
  co_await services_.builder.append(head, *unit, stored);
  for (auto& missing : around.missing_prev)
    unit->new_gaps.emplace_back(std::move(missing), stored->nid);
  unit->unstaged.push_back(stored->event->id());
  co_return co_await services_.heads.commit(std::move(lock), unit);
}

}  // namespace causeway
