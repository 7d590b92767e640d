#include "homeserver/sync/lazy_members.hpp"

#include <algorithm>

#include "homeserver/events/interner.hpp"
#include "homeserver/events/state_store.hpp"
#include "homeserver/rooms/reader/room_reader.hpp"
#include "homeserver/sync/sent_members.hpp"

namespace causeway {

void LazyMembers::begin(const std::vector<RoomPart>& rooms) {
  if (span_.initial()) sent_.forget(span_.device);
  for (const RoomPart& part : rooms)
    if (part.list == RoomPart::List::join && (part.fresh || span_.since_was_lost))
      sent_.forget(span_.device, part.info->nid);
}

Task<> LazyMembers::add(RoomPart& part, const std::vector<UserId>& heroes) {
  if (!span_.lazy_members() || !part.has_timeline() || !part.has_events || part.only_own_event) co_return;
  if (!span_.filter->room_state.rooms.accepts(part.info->id.str())) co_return;
  auto members = wanted(part, heroes);
  if (!members.empty()) co_await find(part, std::move(members));
}

// Whose member events the client needs and does not have.
std::set<std::string> LazyMembers::wanted(const RoomPart& part, const std::vector<UserId>& heroes) const {
  std::set<std::string> wanted, told;
  for (const auto& event : part.state)
    if (is_member(event)) told.insert(*event->event->state_key());
  for (const auto& event : part.timeline) {
    // A client that asks for state_after takes no state from the timeline.
    if (is_member(event)) {
      const std::string& member = *event->event->state_key();
      if (!span_.state_after)
        told.insert(member);
      else if (!told.contains(member))
        wanted.insert(member);
    }
    if (!told.contains(event->event->sender().str())) wanted.insert(event->event->sender().str());
  }
  for (const auto& hero : heroes)
    if (!told.contains(hero.str())) wanted.insert(hero.str());
  // The own member event comes with all of the state, so that the client finds the user's name and avatar.
  if (part.whole_state && !told.contains(span_.user->id.str())) wanted.insert(span_.user->id.str());
  if (part.whole_state || span_.filter->room_state.include_redundant_members) return wanted;
  std::erase_if(wanted, [&](const auto& user) {
    return sent_.knows(span_.device, part.info->nid, user, span_.since_position());
  });
  return wanted;
}

Task<> LazyMembers::find(RoomPart& part, std::set<std::string> wanted) {
  if (part.whole_state) {
    for (const auto& user : wanted)
      if (auto held = part.held_back_members.find(user); held != part.held_back_members.end())
        part.member_nids.push_back(held->second);
    co_return;
  }
  const auto members = co_await s_.reader.members(part.info->nid);
  std::vector<StateKey> changed_here;
  for (const auto& member : members->all) {
    if (!wanted.contains(member.user.str())) continue;
    if (!part.timeline_holds(member.event))
      part.member_nids.push_back(member.event);
    else if (!span_.state_after)
      changed_here.emplace_back("m.room.member", member.user.str());
  }
  if (changed_here.empty()) co_return;
  const auto keys = co_await s_.interner.state_keys(std::move(changed_here));
  const auto at_start = co_await s_.states.lookup(part.info->nid, part.start(), keys);
  for (EventNid event : at_start)
    if (event != EventNid{}) part.member_nids.push_back(event);
}

void LazyMembers::remember(const RoomPart& part) {
  if (!span_.lazy_members()) return;
  const auto remember = [&](const StoredEventPtr& event) {
    if (is_member(event)) sent_.sent(span_.device, part.info->nid, *event->event->state_key(), span_.until.position);
  };
  std::ranges::for_each(part.state, remember);
  if (!span_.state_after) std::ranges::for_each(part.timeline, remember);
}

}  // namespace causeway
