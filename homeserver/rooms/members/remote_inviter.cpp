#include "homeserver/rooms/members/remote_inviter.hpp"

#include "homeserver/rooms/members/member_draft.hpp"
#include "homeserver/rooms/members/membership.hpp"

namespace causeway {

Task<std::vector<EventPtr>> RemoteInviter::stripped_state(RoomHead& head, UserId inviter) {
  auto keys = stripped_state_keys();
  keys.emplace_back("m.room.member", inviter.str());
  auto nids = co_await services_.interner.state_keys(std::move(keys));
  auto holders = co_await services_.heads.holders(head, std::move(nids));
  std::vector<EventPtr> events;
  for (const auto& holder : holders)
    if (holder) events.push_back(holder->event);
  co_return events;
}

// The other server is asked outside the lane, so the room may move on meanwhile: the signed event is then a branch like
// any other.
Task<Result<EventId>> RemoteInviter::invite(ChangeMembership request, boost::json::object content) {
  EventPtr invite;
  std::vector<EventPtr> shown;
  {
    auto lock = co_await services_.heads.enter(request.room);
    if (!lock) co_return lock.error();
    if (!lock->known() || !lock->head().in_room(services_.self.name))
      co_return make_error(ErrorCode::forbidden, "You are not in this room.");
    auto draft = member_draft(request, std::move(content));
    auto built = co_await services_.builder.build(lock->head(), std::move(draft));
    if (!built) co_return built.error();
    // What it is built on must be there when the other server asks for it.
    const bool settled = co_await services_.heads.settle(*lock);
    if (!settled) co_return make_error(ErrorCode::unknown, 503, "The room is busy. Try again.");
    invite = (*built)->event;
    shown = co_await stripped_state(lock->head(), request.sender.user);
  }
  ServerName server = request.target.server_name();
  auto accepted = co_await services_.remote->invite(invite, std::move(shown), std::move(server));
  if (!accepted) co_return accepted.error();
  if ((*accepted)->id() != invite->id())
    co_return make_error(ErrorCode::unknown, 502, "The other server returned another event than the invite.");
  Inbound inbound;
  inbound.event = std::move(*accepted);
  inbound.local = true;
  auto appended = co_await services_.inbound.append_if_accepted(std::move(inbound));
  if (appended.outcome.result == Received::accepted) co_return invite->id();
  co_return make_error(ErrorCode::forbidden, appended.outcome.reason);
}

}  // namespace causeway
