#include "homeserver/rooms/members/invite_withdrawals.hpp"

#include "homeserver/rooms/members/settled_membership.hpp"

namespace causeway {

namespace {

bool is_withdrawal(const Event& event) {
  return event.is("m.room.member") && event.state_key() &&
         (event.membership() == "leave" || event.membership() == "ban");
}

ReceiveOutcome refused(std::string reason) {
  return ReceiveOutcome::of(Received::refused, std::move(reason));
}

}  // namespace

// Of the room nothing is known here that could say who may remove whom. So only the server that invited takes the
// invite back, and only that one which it cites: another withdrawal may come late, after the user was invited again.
Task<ReceiveOutcome> InviteWithdrawals::receive(ServerName origin, VerifiedEvent withdrawal) {
  const EventPtr event = withdrawal.event();
  const bool by_origin = event->sender().server() == origin.str();
  if (!by_origin || !is_withdrawal(*event)) co_return refused("This server is not in that room.");
  {
    auto lock = co_await services_.heads.enter(event->room_id());
    // Nothing is wrong with the event then. A reply that refuses it would be the last that is heard of it.
    if (!lock) throw db::Unavailable(lock.error().message);
    if (!lock->known() || !lock->head().in_room(services_.self.name))
      co_return co_await withdraw(*lock, std::move(origin), std::move(withdrawal));
  }
  // This server has come into the room just now.
  auto inbound = Inbound::of(withdrawal);
  co_return co_await services_.receiver.receive(std::move(origin), std::move(inbound));
}

Task<ReceiveOutcome> InviteWithdrawals::withdraw(RoomLock& lock, ServerName origin, VerifiedEvent withdrawal) {
  const EventPtr event = withdrawal.event();
  auto invite = co_await cited_invite(lock, event);
  if (!invite || invite->event->sender().server() != origin.str())
    co_return refused("This server is not in that room, and knows of no invite of yours that the event withdraws.");
  auto target = UserId::trusted(*event->state_key());
  const UserNid user = co_await services_.interner.user(std::move(target));
  auto now = co_await settled_membership(services_.heads, services_.reader, lock, user);
  if (!now) throw db::Unavailable(now.error().message);
  if (!*now || (*now)->event != invite->nid) co_return ReceiveOutcome::of(Received::duplicate);  // it has ended already
  const auto flags = withdrawal.hash_mismatch() ? db::EventFlags::hash_mismatch : db::EventFlags::none;
  auto ended = co_await services_.foreign.end(lock, user, std::move(**now), event, flags);
  if (!ended && ended.error().status >= 500) throw db::Unavailable(ended.error().message);
  if (!ended) co_return refused(ended.error().message);
  co_return ReceiveOutcome::of(Received::accepted);
}

// The invite of one of our users that an event about them cites; nullptr where it cites none.
Task<StoredEventPtr> InviteWithdrawals::cited_invite(RoomLock& lock, EventPtr event) {
  if (!lock.known()) co_return nullptr;
  auto target = UserId::parse(*event->state_key());
  if (!target || !services_.self.hosts(*target)) co_return nullptr;
  auto ids = event->auth_events();
  auto cited = co_await services_.events.by_id(std::move(ids));
  for (const auto& stored : cited)
    if (stored && stored->room == lock.head().nid && stored->event->membership() == "invite" &&
        stored->event->is_state("m.room.member", target->str()))
      co_return stored;
  co_return nullptr;
}

}  // namespace causeway
