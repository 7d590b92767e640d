#include "homeserver/rooms/reader/member_reader.hpp"

#include <algorithm>
#include <set>

#include "homeserver/rooms/members/membership.hpp"

namespace causeway {

Task<std::vector<StoredEventPtr>> MemberReader::of(ReadableRoom room, StateRef at, MembershipFilter filter) const {
  const RoomNid nid = room.info->nid;
  if (room.readable.present && at == room.info->state) return now(nid, filter);
  return this->at(nid, at, filter);
}

Task<std::vector<StoredEventPtr>> MemberReader::now(RoomNid room, MembershipFilter filter) const {
  const auto members = co_await rooms_.members(room);
  std::vector<EventNid> nids;
  for (const RoomReader::Member& member : members->all)
    if (filter.accepts(member.membership)) nids.push_back(member.event);
  auto events = co_await events_.by_nid(std::move(nids));
  std::erase(events, nullptr);
  co_return events;
}

Task<std::vector<StoredEventPtr>> MemberReader::at(RoomNid room, StateRef at, MembershipFilter filter) const {
  const StateMapPtr state = co_await states_.at(room, at);
  std::vector<StateKeyNid> keys;
  for (const auto& [key, event] : *state)
    keys.push_back(key);
  const auto names = co_await interner_.state_key_names(keys);
  std::vector<EventNid> nids;
  for (std::size_t i = 0; i < keys.size(); ++i)
    if (names[i].type == "m.room.member") nids.push_back(state->at(keys[i]));
  auto events = co_await events_.by_nid(std::move(nids));
  std::erase_if(events,
                [&filter](const StoredEventPtr& event) { return !event || !filter.accepts(membership_of(event)); });
  co_return events;
}

Task<std::vector<StoredEventPtr>> MemberReader::senders(RoomNid room, StateRef at,
                                                        std::vector<StoredEventPtr> events) const {
  std::set<std::string> senders;
  for (const StoredEventPtr& event : events)
    senders.insert(event->event->sender().str());
  std::vector<StateKey> keys;
  for (const std::string& sender : senders)
    keys.push_back(StateKey{"m.room.member", sender});
  auto members = co_await rooms_.state_events(room, at, std::move(keys));
  std::erase(members, nullptr);
  co_return members;
}

Task<std::vector<StoredEventPtr>> MemberReader::state_with_senders(RoomNid room, StateRef at,
                                                                   std::vector<StoredEventPtr> events) const {
  auto state = co_await rooms_.all_state(room, at);
  std::erase_if(state, [](const StoredEventPtr& event) { return event->event->is("m.room.member"); });
  const auto members = co_await senders(room, at, std::move(events));
  state.insert(state.end(), members.begin(), members.end());
  co_return state;
}

}  // namespace causeway
