#include "homeserver/sync/stripped_states.hpp"

#include "homeserver/events/event_store.hpp"
#include "homeserver/rooms/members/membership.hpp"
#include "homeserver/rooms/reader/room_reader.hpp"
#include "schema/events/client_event.hpp"

namespace causeway {

Task<> StrippedStates::read(RoomPart& part) {
  if (part.has_timeline()) co_return;
  std::vector<EventNid> nids(1, part.membership.event);
  const auto own = (co_await s_.events.by_nid(std::move(nids))).front();
  // spec: client-server-api#ignoring-users: invites of ignored users are not sent.
  if (own && part.list == RoomPart::List::invite && span_.user->ignored.contains(own->event->sender().str())) co_return;
  if (part.membership.stripped_state) {
    part.stripped_state = *part.membership.stripped_state;
    co_await budget_.take(2 * part.stripped_state.size());
    co_return;
  }
  if (!own) co_return;
  auto keys = stripped_state_keys();
  auto events = co_await s_.reader.state_events(part.info->nid, part.info->state, std::move(keys));
  events.push_back(own);
  part.stripped_state.assign(1, '[');
  for (const auto& event : events) {
    if (!event) continue;
    if (part.stripped_state.size() > 1) part.stripped_state += ',';
    append_client_event(part.stripped_state, *event->event, ClientEventFormat::stripped, {});
  }
  part.stripped_state += ']';
}

}  // namespace causeway
