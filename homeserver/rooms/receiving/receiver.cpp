#include "homeserver/rooms/receiving/receiver.hpp"

namespace causeway {

Task<std::vector<ReceiveOutcome>> Receiver::receive(ServerName origin, RoomId room_id, std::vector<Inbound> events) {
  std::string refusal;
  co_await wait_for_join(room_id);
  auto room = co_await reader_.room(room_id);
  if (!room) {
    refusal = "This server is not in that room.";
  } else {
    // spec: client-server-api#server-access-control-lists-acls-for-rooms
    const bool allowed = co_await reader_.acl_allows(origin, room->nid);
    if (!allowed) refusal = "The room's server ACL shuts that server out.";
  }
  std::vector<ReceiveOutcome> outcomes;
  if (!refusal.empty()) {
    outcomes.assign(events.size(), ReceiveOutcome::of(Received::refused, refusal));
    co_return outcomes;
  }
  auto appended = co_await inbound_.append(room_id, std::move(events));
  for (auto& one : appended)
    outcomes.push_back(std::move(one.outcome));
  co_await merger_.merge(std::move(room_id));
  co_return outcomes;
}

Task<ReceiveOutcome> Receiver::receive(ServerName origin, Inbound event) {
  RoomId room = event.event->room_id();
  std::vector<Inbound> one;
  one.push_back(std::move(event));
  auto outcomes = co_await receive(std::move(origin), std::move(room), std::move(one));
  co_return std::move(outcomes.front());
}

// An event that comes while this server is joining is not lost: it waits for the join's end.
Task<bool> Receiver::wait_for_join(RoomId room) {
  auto slot = heads_.find(room);
  if (!slot || slot->joins == 0) co_return false;
  while (slot->joins > 0)
    co_await slot->joined.wait();
  co_return true;
}

}  // namespace causeway
