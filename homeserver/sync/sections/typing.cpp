#include "homeserver/sync/sections/typing.hpp"

#include "schema/json/json.hpp"

namespace causeway {

Task<> TypingSection::read(const SyncSpan& span) {
  known_ = span.typing_is_known();
  if (!known_) co_return;
  const auto rooms = typing_.rooms_changed(span.since->ephemeral);
  changed_.insert(rooms.begin(), rooms.end());
}

Task<> TypingSection::read_rooms(const SyncSpan& span, const std::vector<RoomPart>& rooms) {
  const RoomEventFilter& filter = span.filter->room_ephemeral;
  if (!filter.types.accepts("m.typing")) co_return;
  // A token of an earlier life: who typed then may not any more, and the client has to learn that too.
  const bool unknown = !span.initial() && !known_;
  for (const RoomPart& part : rooms) {
    if (part.list != RoomPart::List::join || !filter.rooms.accepts(part.info->id.str())) continue;
    auto users = typing_.in_room(part.info->nid);
    if (!unknown && !changed_.contains(part.info->nid) && !(part.fresh && !users.empty())) continue;
    std::erase_if(users, [&span](const UserId& user) { return span.user->ignored.contains(user.str()); });
    told_.emplace(part.info->nid, std::move(users));
  }
}

void TypingSection::write_room(V3Room& out, RoomNid room) const {
  const auto told = told_.find(room);
  if (told == told_.end()) return;
  std::string event = R"({"type":"m.typing","content":{"user_ids":[)";
  for (const UserId& user : told->second) {
    if (&user != &told->second.front()) event += ',';
    json::append_quoted(event, user.str());
  }
  out.ephemeral.push_back(event + "]}}");
}

}  // namespace causeway
