#include "homeserver/rooms/receiving/extremity_merger.hpp"

#include "schema/log.hpp"

namespace causeway {

namespace {

constexpr std::size_t many_extremities = 10;
constexpr Timestamp between_merges_ms = 5 * 60'000;
// Each takes as many as an event may name, so these take all that a head may have.
constexpr int max_merges_at_once = 4;

}  // namespace

Task<> ExtremityMerger::merge(RoomId room_id) {
  for (int merges = 0; merges < max_merges_at_once; ++merges) {
    auto room = co_await services_.reader.room(room_id);
    if (!room || room->extremities.size() <= many_extremities) co_return;
    auto built = co_await build(room_id);
    if (built && !*built) co_return;
    std::string refusal;
    if (built) {
      // As what others make: where it can't name all branches, the state before it is not the current one.
      Inbound inbound;
      inbound.event = std::move(*built);
      inbound.only_if_accepted = true;
      auto appended = co_await services_.inbound.append(std::move(inbound));
      if (appended.outcome.result == Received::accepted) continue;
      refusal = appended.outcome.reason;
    } else {
      refusal = built.error().message;
    }
    log::info("room {}: its {} branches were not merged: {}", room_id.str(), room->extremities.size(), refusal);
    co_return;
  }
}

Task<> ExtremityMerger::merge_if_too_many(RoomId room_id) {
  auto room = co_await services_.reader.room(room_id);
  if (room && room->extremities.size() > max_prev_events) co_await merge(std::move(room_id));
}

// nullptr: not now.
Task<Result<EventPtr>> ExtremityMerger::build(RoomId room_id) {
  auto lock = co_await services_.heads.enter(std::move(room_id));
  if (!lock) co_return lock.error();
  if (!lock->known() || !lock->head().in_room(services_.self.name)) co_return EventPtr();
  RoomHead& head = lock->head();
  const std::size_t branches = head.extremities.size();
  // More than an event may name are merged at once, or what is sent here would stand on a part of them.
  const bool due = branches > max_prev_events || services_.clock.now_ms() >= head.next_merge;
  if (branches <= many_extremities || !due) co_return EventPtr();
  head.next_merge = services_.clock.now_ms() + between_merges_ms;
  auto merging = co_await draft(head);
  if (!merging) co_return make_error(ErrorCode::forbidden, "No user of this server may send into the room.");
  auto built = co_await services_.builder.build(head, std::move(*merging));
  if (!built) co_return built.error();
  co_return (*built)->event;
}

// By the local member with the highest power level.
Task<std::optional<LocalDraft>> ExtremityMerger::draft(RoomHead& head) {
  auto members = co_await services_.reader.members(head.nid);
  auto levels = co_await power_levels(services_.heads, head);
  const UserId* sender = nullptr;
  std::int64_t highest = levels->required_for(merge_event_type, false);
  for (const auto& member : members->all) {
    if (member.membership != db::Membership::join || !services_.self.hosts(member.user)) continue;
    const std::int64_t level = levels->user(member.user);
    if (level < highest || (sender && level == highest && *sender < member.user)) continue;
    sender = &member.user;
    highest = level;
  }
  if (!sender) co_return std::nullopt;
  LocalDraft merging;
  merging.sender = *sender;
  merging.sender_nid = co_await services_.interner.user(merging.sender);
  merging.type = merge_event_type;
  co_return merging;
}

}  // namespace causeway
