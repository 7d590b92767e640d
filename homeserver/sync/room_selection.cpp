#include "homeserver/sync/room_selection.hpp"

#include <algorithm>
#include <chrono>

#include "homeserver/sync/sections/account_data.hpp"
#include "homeserver/sync/typing.hpp"
#include "schema/db/tables/memberships.hpp"

namespace causeway {

// A commit can be seen in the database a moment before the hub has heard of it; then its position is waited for.
Task<> RoomSelection::fix_end(SyncSpan& span) {
  constexpr int max_tries = 1000;
  asio::steady_timer moment(co_await asio::this_coro::executor);
  for (int tries = 0; tries < max_tries; ++tries) {
    memberships_ = co_await s_.reader.memberships(span_.user->nid);
    StreamPosition newest = 0;
    for (const auto& membership : *memberships_)
      newest = std::max(newest, membership.position);
    if (newest <= s_.hub.position()) break;
    moment.expires_after(std::chrono::milliseconds(1));
    co_await expiry(moment);
  }
  span.until.position = s_.hub.position();
  span.until.epoch = s_.typing.epoch();
  span.until.ephemeral = s_.typing.sequence();
  span.in_memory = span.since_position() >= s_.hub.recent().complete_after();
}

Task<std::vector<RoomPart>> RoomSelection::choose(const Sections& sections) {
  std::vector<RoomPart> rooms;
  for (const auto& membership : *memberships_)
    if (auto part = candidate(membership, sections)) rooms.push_back(std::move(*part));
  co_await add_forgotten(rooms);
  co_await look_up(rooms);
  co_return rooms;
}

// Left and forgotten on one device; another may not know yet that the room was left.
Task<> RoomSelection::add_forgotten(std::vector<RoomPart>& rooms) {
  if (span_.initial() || span_.user->last_forgotten <= span_.since_position()) co_return;
  auto read = [user = span_.user->nid, since = span_.since_position(), until = span_.until.position](
                  db::Connection& c) { return db::forgotten_memberships(c, user, since, until); };
  auto found = co_await s_.database.run(std::move(read));
  for (auto& row : found) {
    if (row.membership != db::Membership::leave && row.membership != db::Membership::ban) continue;
    RoomPart& part = rooms.emplace_back();
    part.list = RoomPart::List::leave;
    part.membership = {row.room, row.membership, row.event, row.position, true, std::move(row.stripped_state)};
  }
}

std::optional<RoomPart> RoomSelection::candidate(const RoomMembership& membership, const Sections& sections) const {
  const bool is_new = membership.position > span_.since_position();
  RoomPart part;
  part.membership = membership;
  switch (membership.membership) {
    case db::Membership::join:
      part.list = RoomPart::List::join;
      if (span_.every_room() || may_have_news(membership, sections)) return part;
      return std::nullopt;
    case db::Membership::invite:
      if (span_.user->blocks_invites) return std::nullopt;
      part.list = RoomPart::List::invite;
      if (sections.account_data().invite_permission_changed()) return part;  // it may have been kept back until now
      break;
    case db::Membership::knock:
      part.list = RoomPart::List::knock;
      break;
    case db::Membership::leave:
    case db::Membership::ban:
      part.list = RoomPart::List::leave;
      // A room that was just left is told once, whatever the filter says, or the client would never know.
      if ((!span_.initial() && (is_new || span_.since_was_lost)) || (span_.every_room() && span_.filter->include_leave))
        return part;
      return std::nullopt;
  }
  if (span_.every_room() || is_new) return part;
  return std::nullopt;
}

bool RoomSelection::may_have_news(const RoomMembership& membership, const Sections& sections) const {
  const RoomNid room = membership.room;
  const StreamPosition since = span_.since_position();
  return !span_.in_memory || membership.position > since || s_.hub.recent().last_in_room(room) > since ||
         sections.concern(room);
}

Task<> RoomSelection::look_up(std::vector<RoomPart>& rooms) {
  std::vector<RoomNid> nids;
  nids.reserve(rooms.size());
  for (const auto& part : rooms)
    nids.push_back(part.membership.room);
  const auto infos = co_await s_.reader.rooms(std::move(nids));
  for (std::size_t i = 0; i < rooms.size(); ++i) {
    RoomPart& part = rooms[i];
    part.info = infos[i];
    if (!part.info) continue;
    const StreamPosition last =
        span_.in_memory ? s_.hub.recent().last_in_room(part.info->nid) : part.info->last_position;
    part.has_events =
        span_.every_room() || part.membership.position > span_.since_position() || last > span_.since_position();
  }
  std::erase_if(rooms,
                [this](const auto& part) { return !part.info || !span_.filter->rooms.accepts(part.info->id.str()); });
}

}  // namespace causeway
