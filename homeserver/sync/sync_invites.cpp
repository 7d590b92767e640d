// Rooms the user is invited to or has knocked on: as much of their state as lets the user recognise them.
//
// spec: client-server-api#stripped-state
#include "homeserver/rooms/members/membership.hpp"
#include "homeserver/sync/sync_builder.hpp"

namespace causeway {

Task<> SyncBuilder::read_stripped_state(RoomPart& part) {
  if (part.section != RoomPart::Section::invite && part.section != RoomPart::Section::knock) co_return;
  std::vector<EventNid> nids(1, part.membership.event);
  const auto own = (co_await s_.events.by_nid(std::move(nids))).front();
  // spec: client-server-api#ignoring-users: invites of ignored users are not sent.
  if (own && part.section == RoomPart::Section::invite && user_->ignored.contains(own->event->sender().str()))
    co_return;
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
