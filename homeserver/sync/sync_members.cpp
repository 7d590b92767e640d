// Lazy loading of members, and the summary that lets a client name a room without knowing them all.
//
// spec: client-server-api#lazy-loading-room-members, client-server-api#get_matrixclientv3sync (RoomSummary)
#include "homeserver/sync/sync_builder.hpp"

namespace causeway {

namespace {

constexpr std::size_t max_heroes = 5;

bool is_member(const StoredEventPtr& event) {
  return event->key && event->event->is("m.room.member");
}

bool is_name(const StoredEventPtr& event) {
  return event->event->is_state("m.room.name", "") || event->event->is_state("m.room.canonical_alias", "");
}

// The first that came into the room; those who left or were banned only when nobody else is there.
std::vector<const RoomReader::Member*> choose_heroes(const RoomReader::Members& members, const UserId& self) {
  std::vector<const RoomReader::Member*> present, gone;
  for (const auto& member : members.all) {
    if (member.user == self) continue;
    if (member.membership == db::Membership::join || member.membership == db::Membership::invite)
      present.push_back(&member);
    else if (member.membership != db::Membership::knock)
      gone.push_back(&member);
  }
  auto& heroes = present.empty() ? gone : present;
  const auto count = std::min(heroes.size(), max_heroes);
  std::partial_sort(heroes.begin(), heroes.begin() + static_cast<std::ptrdiff_t>(count), heroes.end(),
                    [](const auto* a, const auto* b) { return a->event < b->event; });
  heroes.resize(count);
  return heroes;
}

}  // namespace

Task<> SyncBuilder::summarise() {
  std::vector<RoomPart*> changed;
  std::vector<RoomNid> rooms;
  for (RoomPart& part : parts_) {
    if (part.section != RoomPart::Section::join || !part.has_events) continue;
    if (!part.whole_state && !members_changed(part) && !name_changed(part)) continue;
    changed.push_back(&part);
    rooms.push_back(part.info->nid);
  }
  // Not all at once: their members may be many.
  constexpr std::size_t rooms_at_once = 100;
  for (std::size_t first = 0; first < changed.size(); first += rooms_at_once) {
    const std::size_t end = std::min(first + rooms_at_once, changed.size());
    std::vector<RoomPart*> some(changed.begin() + static_cast<std::ptrdiff_t>(first),
                                changed.begin() + static_cast<std::ptrdiff_t>(end));
    std::vector<RoomNid> of_some(rooms.begin() + static_cast<std::ptrdiff_t>(first),
                                 rooms.begin() + static_cast<std::ptrdiff_t>(end));
    const auto members = co_await s_.reader.members(std::move(of_some));
    const auto named = co_await are_named(some);
    for (std::size_t i = 0; i < some.size(); ++i) {
      summarise(*some[i], *members[i], named[i]);
      co_await slice_.give_way();
    }
  }
}

void SyncBuilder::summarise(RoomPart& part, const RoomReader::Members& members, bool is_named) const {
  RoomSummary& summary = part.summary.emplace();
  summary.joined = members.joined;
  summary.invited = members.invited;
  if (is_named) return;
  summary.heroes.emplace();
  for (const auto* hero : choose_heroes(members, request_.requester.user))
    summary.heroes->push_back(hero->user);
}

// Where all of the state is told it holds the name too.
Task<std::vector<bool>> SyncBuilder::are_named(std::vector<RoomPart*> parts) {
  std::vector<bool> named(parts.size());
  std::vector<std::size_t> places;
  std::vector<RoomNid> asked;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (parts[i]->whole_state && filter_->room_state.accepts_everything() &&
        filter_->room_state.rooms.accepts(parts[i]->info->id.str())) {
      named[i] = tells_name(*parts[i]);
      continue;
    }
    places.push_back(i);
    asked.push_back(parts[i]->info->nid);
  }
  if (asked.empty()) co_return named;
  const auto found = co_await memory_.named_rooms.are_named(std::move(asked));
  for (std::size_t n = 0; n < places.size(); ++n)
    named[places[n]] = found[n];
  co_return named;
}

// The state and then the timeline: the last of each type holds.
bool SyncBuilder::tells_name(const RoomPart& part) const {
  std::map<std::string_view, bool> says;
  const auto note = [&says](const StoredEventPtr& event) {
    if (is_name(event)) says[event->event->type()] = NamedRooms::says_something(*event->event);
  };
  std::ranges::for_each(part.state, note);
  if (!wants_state_after()) std::ranges::for_each(part.timeline, note);
  return std::ranges::any_of(says, [](const auto& of_type) { return of_type.second; });
}

bool SyncBuilder::members_changed(const RoomPart& part) const {
  return std::any_of(part.timeline.begin(), part.timeline.end(), is_member) ||
         std::any_of(part.state.begin(), part.state.end(), is_member);
}

// Where a name goes, the client needs the heroes that it did without.
bool SyncBuilder::name_changed(const RoomPart& part) const {
  return std::any_of(part.timeline.begin(), part.timeline.end(), is_name) ||
         std::any_of(part.state.begin(), part.state.end(), is_name);
}

Task<> SyncBuilder::add_lazy_members(RoomPart& part) {
  const bool has_state = part.section == RoomPart::Section::join || part.section == RoomPart::Section::leave;
  if (!lazy() || !has_state || !part.has_events || part.only_own_event) co_return;
  if (!filter_->room_state.rooms.accepts(part.info->id.str())) co_return;
  auto wanted = lazily_wanted(part);
  if (!wanted.empty()) co_await find_members(part, std::move(wanted));
}

// Whose member events the client needs and does not have.
std::set<std::string> SyncBuilder::lazily_wanted(const RoomPart& part) const {
  std::set<std::string> wanted, told;
  for (const auto& event : part.state)
    if (is_member(event)) told.insert(*event->event->state_key());
  for (const auto& event : part.timeline) {
    // A client that asks for state_after takes no state from the timeline.
    if (is_member(event)) {
      const std::string& member = *event->event->state_key();
      if (!wants_state_after())
        told.insert(member);
      else if (!told.contains(member))
        wanted.insert(member);
    }
    if (!told.contains(event->event->sender().str())) wanted.insert(event->event->sender().str());
  }
  if (part.summary && part.summary->heroes)
    for (const auto& hero : *part.summary->heroes)
      if (!told.contains(hero.str())) wanted.insert(hero.str());
  // The own member event comes with all of the state, so that the client finds the user's name and avatar.
  if (part.whole_state && !told.contains(request_.requester.user.str())) wanted.insert(request_.requester.user.str());
  if (part.whole_state || filter_->room_state.include_redundant_members) return wanted;
  std::erase_if(wanted, [&](const auto& user) {
    return memory_.sent_members.knows(request_.requester.device_nid, part.info->nid, user, since_position());
  });
  return wanted;
}

Task<> SyncBuilder::find_members(RoomPart& part, std::set<std::string> wanted) {
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
    else if (!wants_state_after())
      changed_here.emplace_back("m.room.member", member.user.str());
  }
  if (changed_here.empty()) co_return;
  const auto keys = co_await s_.interner.state_keys(std::move(changed_here));
  const auto at_start = co_await s_.states.lookup(part.info->nid, part.start(), keys);
  for (EventNid event : at_start)
    if (event != EventNid{}) part.member_nids.push_back(event);
}

void SyncBuilder::remember_members(const RoomPart& part) {
  if (!lazy()) return;
  const auto remember = [&](const StoredEventPtr& event) {
    if (is_member(event))
      memory_.sent_members.sent(request_.requester.device_nid, part.info->nid, *event->event->state_key(),
                                until_.position);
  };
  std::ranges::for_each(part.state, remember);
  if (!wants_state_after()) std::ranges::for_each(part.timeline, remember);
}

}  // namespace causeway
