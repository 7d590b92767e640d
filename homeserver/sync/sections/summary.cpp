#include "homeserver/sync/sections/summary.hpp"

#include <algorithm>
#include <map>

#include "schema/json/json.hpp"

namespace causeway {

namespace {

constexpr std::size_t max_heroes = 5;

bool is_name(const StoredEventPtr& event) {
  return event->event->is_state("m.room.name", "") || event->event->is_state("m.room.canonical_alias", "");
}

// Members changed, or the name: where one goes, the client needs the heroes that it did without.
bool changed(const RoomPart& part) {
  const auto counts = [](const StoredEventPtr& event) { return is_member(event) || is_name(event); };
  return std::ranges::any_of(part.timeline, counts) || std::ranges::any_of(part.state, counts);
}

// The state and then the timeline: the last of each type holds.
bool tells_name(const SyncSpan& span, const RoomPart& part) {
  std::map<std::string_view, bool> says;
  const auto note = [&says](const StoredEventPtr& event) {
    if (is_name(event)) says[event->event->type()] = NamedRooms::says_something(*event->event);
  };
  std::ranges::for_each(part.state, note);
  if (!span.state_after) std::ranges::for_each(part.timeline, note);
  return std::ranges::any_of(says, [](const auto& of_type) { return of_type.second; });
}

// The first that came into the room; those who left or were banned only when nobody else is there.
std::vector<UserId> choose_heroes(const RoomReader::Members& members, const UserId& self) {
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
  std::vector<UserId> users;
  for (std::size_t i = 0; i < count; ++i)
    users.push_back(heroes[i]->user);
  return users;
}

}  // namespace

// Not all at once: their members may be many.
Task<> SummarySection::read_rooms(const SyncSpan& span, const std::vector<RoomPart>& rooms) {
  constexpr std::size_t rooms_at_once = 100;
  Parts some;
  for (const RoomPart& part : rooms) {
    if (part.list != RoomPart::List::join || !part.has_events) continue;
    if (!part.whole_state && !changed(part)) continue;
    some.push_back(&part);
    if (some.size() < rooms_at_once) continue;
    co_await summarise(span, some);
    some.clear();
  }
  if (!some.empty()) co_await summarise(span, some);
}

Task<> SummarySection::summarise(const SyncSpan& span, const Parts& parts) {
  std::vector<RoomNid> rooms;
  for (const RoomPart* part : parts)
    rooms.push_back(part->info->nid);
  const auto members = co_await reader_.members(std::move(rooms));
  const auto named = co_await are_named(span, parts);
  for (std::size_t i = 0; i < parts.size(); ++i) {
    Summary& summary = told_[parts[i]->info->nid];
    summary.joined = members[i]->joined;
    summary.invited = members[i]->invited;
    if (!named[i]) summary.heroes = choose_heroes(*members[i], span.user->id);
    co_await slice_.give_way();
  }
}

// Where all of the state is told it holds the name too.
Task<std::vector<bool>> SummarySection::are_named(const SyncSpan& span, const Parts& parts) {
  const RoomEventFilter& filter = span.filter->room_state;
  std::vector<bool> named(parts.size());
  std::vector<std::size_t> places;
  std::vector<RoomNid> asked;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const RoomPart& part = *parts[i];
    if (part.whole_state && filter.accepts_everything() && filter.rooms.accepts(part.info->id.str())) {
      named[i] = tells_name(span, part);
      continue;
    }
    places.push_back(i);
    asked.push_back(part.info->nid);
  }
  if (asked.empty()) co_return named;
  const auto found = co_await named_rooms_.are_named(std::move(asked));
  for (std::size_t n = 0; n < places.size(); ++n)
    named[places[n]] = found[n];
  co_return named;
}

const std::vector<UserId>& SummarySection::heroes(RoomNid room) const {
  static const std::vector<UserId> nobody;
  const auto told = told_.find(room);
  return told == told_.end() || !told->second.heroes ? nobody : *told->second.heroes;
}

void SummarySection::write_room(V3Room& out, RoomNid room) const {
  const auto told = told_.find(room);
  if (told == told_.end()) return;
  const Summary& summary = told->second;
  out.members += R"("summary":{)";
  if (summary.heroes) {
    out.members += R"("m.heroes":[)";
    for (const UserId& hero : *summary.heroes) {
      if (&hero != &summary.heroes->front()) out.members += ',';
      json::append_quoted(out.members, hero.str());
    }
    out.members += "],";
  }
  out.members += R"("m.joined_member_count":)" + std::to_string(summary.joined);
  out.members += R"(,"m.invited_member_count":)" + std::to_string(summary.invited) + "},";
}

}  // namespace causeway
