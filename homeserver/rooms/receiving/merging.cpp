// Merges forward extremities where nobody here writes and so nothing would: state would be resolved among all of them
// with every event that comes. The merging event goes to no server until another event cites it, or each server of the
// room would add a branch by trying to take some away.

#include "homeserver/rooms/room_service_impl.hpp"
#include "schema/log.hpp"

namespace causeway {

namespace {

constexpr std::size_t many_extremities = 10;
constexpr Timestamp between_merges_ms = 5 * 60'000;
// Each takes as many as an event may name, so these take all that a head may have.
constexpr int max_merges_at_once = 4;

}  // namespace

Task<> RoomService::Impl::merge_extremities(RoomId room_id) {
  for (int merges = 0; merges < max_merges_at_once; ++merges) {
    auto room = co_await services.reader.room(room_id);
    if (!room || room->extremities.size() <= many_extremities) co_return;
    auto built = co_await build_merge(room_id);
    if (built && !*built) co_return;
    std::string refusal;
    if (built) {
      // As what others make: where it can't name all branches, the state before it is not the current one.
      Inbound inbound;
      inbound.event = std::move(*built);
      inbound.only_if_accepted = true;
      auto appended = co_await append_inbound(std::move(inbound));
      if (appended.outcome.result == Received::accepted) continue;
      refusal = appended.outcome.reason;
    } else {
      refusal = built.error().message;
    }
    log::info("room {}: its {} branches were not merged: {}", room_id.str(), room->extremities.size(), refusal);
    co_return;
  }
}

// nullptr: not now.
Task<Result<EventPtr>> RoomService::Impl::build_merge(RoomId room_id) {
  auto lock = co_await heads.enter(std::move(room_id));
  if (!lock) co_return lock.error();
  if (!lock->known() || !lock->head().in_room(services.self.name)) co_return EventPtr();
  RoomHead& head = lock->head();
  const std::size_t branches = head.extremities.size();
  // More than an event may name are merged at once, or what is sent here would stand on a part of them.
  const bool due = branches > max_prev_events || services.clock.now_ms() >= head.next_merge;
  if (branches <= many_extremities || !due) co_return EventPtr();
  head.next_merge = services.clock.now_ms() + between_merges_ms;
  auto draft = co_await draft_merge(head);
  if (!draft) co_return make_error(ErrorCode::forbidden, "No user of this server may send into the room.");
  auto built = co_await builder.build(head, std::move(*draft));
  if (!built) co_return built.error();
  co_return (*built)->event;
}

// By the local member with the highest power level.
Task<std::optional<LocalDraft>> RoomService::Impl::draft_merge(RoomHead& head) {
  auto members = co_await services.reader.members(head.nid);
  auto levels = co_await power_levels(head);
  const UserId* sender = nullptr;
  std::int64_t highest = levels->required_for(merge_event_type, false);
  for (const auto& member : members->all) {
    if (member.membership != db::Membership::join || !is_local(member.user)) continue;
    const std::int64_t level = levels->user(member.user);
    if (level < highest || (sender && level == highest && *sender < member.user)) continue;
    sender = &member.user;
    highest = level;
  }
  if (!sender) co_return std::nullopt;
  LocalDraft draft;
  draft.sender = *sender;
  draft.sender_nid = co_await services.interner.user(draft.sender);
  draft.type = merge_event_type;
  co_return draft;
}

}  // namespace causeway
