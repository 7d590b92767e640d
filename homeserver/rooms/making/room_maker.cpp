#include "homeserver/rooms/making/room_maker.hpp"

#include "schema/log.hpp"

namespace causeway {

namespace {

using boost::json::object;

constexpr int max_attempts = 64;

object membership(std::string_view value) {
  object content;
  content["membership"] = value;
  return content;
}

// spec: client-server-api#post_matrixclientv3createroom: what the rules refuse here is M_INVALID_ROOM_STATE.
MatrixError refused(const MatrixError& error) {
  if (error.code != ErrorCode::forbidden) return error;
  return make_error(ErrorCode::invalid_room_state, 400, "The room cannot start in this state: " + error.message);
}

}  // namespace

Task<Result<RoomId>> RoomMaker::create(CreateRoom request) {
  auto plan = plan_room(request, services_.self.name);
  if (!plan) co_return plan.error();
  if (auto checked = check_plan(request, *plan); !checked) co_return checked.error();
  Aliases::Claim claimed;
  if (plan->alias) {
    claimed = co_await services_.aliases.claim(*plan->alias);
    if (!claimed) co_return make_error(ErrorCode::room_in_use, 400, "The alias " + plan->alias->str() + " is taken.");
  }
  auto begun = co_await begin_planned(request, *plan, std::nullopt);
  if (!begun) co_return begun.error();
  const RoomId room = begun->room;
  auto written = co_await services_.heads.commit(std::move(begun->lock), begun->unit);
  if (!written) co_return written.error();
  for (const auto& invited : request.invite) {
    if (services_.self.hosts(invited)) continue;
    auto sent = co_await invite_into(room, request, invited);
    if (!sent) log::warn("room {}: {} was not invited: {}", room.str(), invited.str(), sent.error().message);
  }
  co_return room;
}

Task<Result<BegunRoom>> RoomMaker::begin(const CreateRoom& request, std::optional<RoomId> chosen) {
  auto plan = plan_room(request, services_.self.name);
  if (!plan) co_return plan.error();
  co_return co_await begin_planned(request, *plan, std::move(chosen));
}

RoomId RoomMaker::choose_id() const {
  return RoomId::trusted("!" + crypto::random_token(18) + ":" + services_.self.name.str());
}

// The drafts of all local events, in order, m.room.create first.
Task<std::vector<LocalDraft>> RoomMaker::first_events(const CreateRoom& request, RoomPlan& plan) {
  std::vector<LocalDraft> drafts;
  const auto add = [&](std::string type, std::string state_key, object content) {
    LocalDraft draft;
    draft.sender = request.creator.user;
    draft.sender_nid = request.creator.nid;
    draft.type = std::move(type);
    draft.state_key = std::move(state_key);
    draft.content = std::move(content);
    drafts.push_back(std::move(draft));
  };
  add("m.room.create", "", std::move(plan.create));
  object join = membership("join");
  co_await services_.profiles.add(join, request.creator.user);
  add("m.room.member", request.creator.user.str(), std::move(join));
  add("m.room.power_levels", "", std::move(plan.power_levels));
  for (auto& event : plan.events)
    add(std::move(event.type), std::move(event.state_key), std::move(event.content));
  for (const auto& invited : request.invite) {
    if (!services_.self.hosts(invited)) continue;
    if (const auto checked = co_await services_.permission.check(invited); !checked) continue;
    object content = membership("invite");
    if (request.is_direct) content["is_direct"] = true;
    co_await services_.profiles.add(content, invited);
    add("m.room.member", invited.str(), std::move(content));
  }
  co_return drafts;
}

Task<Result<BegunRoom>> RoomMaker::begin_planned(const CreateRoom& request, RoomPlan& plan,
                                                 std::optional<RoomId> chosen) {
  auto drafts = co_await first_events(request, plan);
  const Timestamp now = services_.clock.now_ms();
  for (int attempt = 0; attempt < max_attempts; ++attempt) {
    // From room version 12 on, two rooms made alike in the same millisecond would be one and the same.
    drafts.front().timestamp = now + attempt;
    std::optional<RoomId> id = chosen;
    if (!id && !plan.version->room_id_is_create_hash) id = choose_id();
    auto create = co_await services_.builder.build_create(*plan.version, std::move(id), drafts.front());
    if (!create) co_return refused(create.error());
    const RoomId room = (*create)->event->room_id();
    auto lock = co_await services_.heads.enter(room);
    if (!lock) co_return lock.error();
    if (lock->known()) continue;
    auto unit = co_await first_unit(*lock, plan, std::move(*create), request);
    for (std::size_t i = 1; i < drafts.size(); ++i) {
      auto sent = co_await services_.builder.build_and_append(lock->head(), *unit, std::move(drafts[i]));
      if (!sent) co_return refused(sent.error());
    }
    co_return BegunRoom(room, std::move(*lock), std::move(unit));
  }
  co_return make_error(ErrorCode::unknown, 503, "Too many rooms are being made at once. Try again.");
}

// The new room's head, and the unit that begins with its create event.
Task<WriteUnitPtr> RoomMaker::first_unit(RoomLock& lock, const RoomPlan& plan, NewEventPtr create,
                                         const CreateRoom& request) {
  const RoomNid nid = co_await services_.interner.next_room();
  RoomHead& head = services_.heads.make_head(lock, nid, *plan.version);
  auto unit = std::make_shared<WriteUnit>();
  unit->new_room.emplace();
  unit->new_room->room_id = create->event->room_id();
  unit->new_room->version = plan.version->id;
  unit->new_room->created_ts = services_.clock.now_ms();
  if (plan.alias) unit->changes.emplace_back(db::AliasChange::added(*plan.alias, nid, request.creator.nid));
  if (request.published) unit->changes.emplace_back(db::PublicationChange{nid, true});
  co_await services_.builder.append(head, *unit, std::move(create));
  co_return unit;
}

Task<Result<>> RoomMaker::invite_into(RoomId room, const CreateRoom& request, UserId invited) {
  ChangeMembership invitation;
  invitation.sender = request.creator;
  invitation.target = std::move(invited);
  invitation.room = std::move(room);
  invitation.membership = db::Membership::invite;
  invitation.is_direct = request.is_direct;
  invitation.kind = ChangeMembership::Kind::invite;
  co_return co_await services_.memberships.change(std::move(invitation));
}

}  // namespace causeway
