#include "homeserver/rooms/members/foreign_memberships.hpp"

#include <limits>

#include "homeserver/rooms/members/membership.hpp"
#include "homeserver/rooms/members/settled_membership.hpp"
#include "schema/events/signing.hpp"

namespace causeway {

Task<Result<EventPtr>> ForeignMemberships::own_leave(ChangeMembership request, RoomMembership ended) {
  std::vector<EventNid> nids(1, ended.event);
  auto events = co_await services_.events.by_nid(std::move(nids));
  if (!events.front()) co_return make_error(ErrorCode::not_found, "This server does not know that room.");
  const Event& last = *events.front()->event;
  EventDraft draft;
  draft.version = &last.version();
  draft.room_id = request.room;
  draft.sender = request.sender.user;
  draft.type = "m.room.member";
  draft.state_key = request.sender.user.str();
  draft.content["membership"] = "leave";
  if (request.reason) draft.content["reason"] = *request.reason;
  draft.origin_server_ts = services_.clock.now_ms();
  constexpr std::int64_t max_depth = std::numeric_limits<std::int64_t>::max();
  draft.depth = std::min(last.depth(), max_depth - 1) + 1;
  draft.prev_events.push_back(reference_to(last));
  draft.auth_events.push_back(reference_to(last));
  co_return build_event(std::move(draft), services_.self.name, services_.self.key);
}

Task<Result<bool>> ForeignMemberships::end_unknown_invite(ChangeMembership request, RoomInfoPtr room) {
  auto membership = co_await services_.reader.membership(request.sender.nid, room->nid);
  if (!membership || membership->membership != db::Membership::invite) co_return false;
  StateKey key("m.room.member", request.sender.user.str());
  auto own = co_await services_.reader.state_event(room->nid, room->state, key);
  if (own && own->nid == membership->event) co_return false;
  auto lock = co_await services_.heads.enter(request.room);
  if (!lock) co_return lock.error();
  if (!lock->known()) co_return false;
  const bool settled = co_await services_.heads.settle(*lock);
  if (!settled) co_return make_error(ErrorCode::unknown, 503, "The room is busy. Try again.");
  own = co_await services_.heads.holder(lock->head(), std::move(key));
  if (own && own->nid == membership->event) co_return false;
  auto leave = co_await own_leave(request, *membership);
  if (!leave) co_return leave.error();
  auto ended = co_await end(*lock, request.sender.nid, std::move(*membership), std::move(*leave));
  if (!ended) co_return ended.error();
  co_return true;
}

Task<Result<>> ForeignMemberships::end(RoomLock& lock, UserNid user, RoomMembership ended, EventPtr end_event,
                                       db::EventFlags flags) {
  auto now = co_await settled_membership(services_.heads, services_.reader, lock, user);
  if (!now) co_return now.error();
  if (!*now || (*now)->event != ended.event) co_return Result<>{};
  auto unit = std::make_shared<WriteUnit>();
  unit->room = ended.room;
  MembershipChange change;
  change.user = user;
  change.room = ended.room;
  change.membership = membership_of(*end_event);
  auto stored = co_await add_event(*unit, std::move(end_event), flags);
  if (!stored) co_return stored.error();
  change.event = *stored;
  unit->memberships.push_back(std::move(change));
  co_return co_await services_.writer.commit(std::move(unit));
}

Task<Result<EventNid>> ForeignMemberships::add_event(WriteUnit& unit, EventPtr event, db::EventFlags flags) {
  auto existing = co_await services_.events.by_id(event->id());
  // In versions 1 and 2 a server may give one ID to many events.
  if (existing && (existing->room != unit.room || reference_hash(*existing->event) != reference_hash(*event)))
    co_return make_error(ErrorCode::forbidden, "There is another event with this ID.");
  if (existing) co_return existing->nid;
  auto stored = std::make_shared<StoredEvent>();
  stored->nid = co_await services_.interner.next_event();
  stored->room = unit.room;
  stored->sender = co_await services_.interner.user(event->sender());
  stored->flags = flags | db::EventFlags::unjudged;
  if (event->is_state()) {
    StateKey key(event->type(), *event->state_key());
    stored->key = co_await services_.interner.state_key(std::move(key));
  }
  stored->event = std::move(event);
  NewEvent added;
  added.stored = stored;
  added.placement = Placement::outlier;
  unit.events.push_back(std::move(added));
  co_return stored->nid;
}

}  // namespace causeway
