#include "homeserver/sync/sync_builder.hpp"

#include "homeserver/sync/sections/summary.hpp"

namespace causeway {

SyncBuilder::SyncBuilder(const SyncServices& services, const SyncMemory& memory, SyncSpan span)
    : span_(std::move(span)),
      cost_(memory.sizes),
      sections_(services, memory, cost_),
      selection_(services, span_),
      placement_(services, memory.versions, span_),
      timelines_(services, span_, cost_),
      states_(services, span_, cost_),
      members_(services, memory.sent_members, span_),
      stripped_(services, span_, cost_.budget) {}

Task<Result<>> SyncBuilder::build() {
  co_await selection_.fix_end(span_);
  co_await sections_.read(span_);
  co_await choose_rooms();
  co_await timelines_.read(rooms_);
  if (!cost_.budget.exceeded()) co_await states_.read_whole(rooms_);
  if (!cost_.budget.exceeded()) co_await read_rooms();
  if (cost_.budget.exceeded())
    co_return make_error(ErrorCode::too_large,
                         "Your rooms hold more than this server puts into one reply. Load members lazily, or use a "
                         "filter that asks for less.");
  std::erase_if(rooms_, [this](const RoomPart& part) { return !worth_telling(part); });
  for (const RoomPart& part : rooms_)
    members_.remember(part);
  co_return Result<>{};
}

Task<> SyncBuilder::build_empty() {
  span_.until = *span_.since;
  co_await sections_.read(span_);
}

Task<> SyncBuilder::choose_rooms() {
  rooms_ = co_await selection_.choose(sections_);
  for (RoomPart& part : rooms_) {
    co_await placement_.place(part);
    co_await cost_.slice.give_way();
  }
  std::erase_if(rooms_, [this](const RoomPart& part) { return placement_.forgot_what_was_told(part); });
  members_.begin(rooms_);
}

// What of the timelines may be told, the state that goes with it, and what is told beside both.
Task<> SyncBuilder::read_rooms() {
  co_await timelines_.keep_visible(rooms_);
  co_await states_.keep_what_replays(rooms_);
  co_await states_.choose(rooms_);
  co_await states_.load(rooms_);
  if (cost_.budget.exceeded()) co_return;
  co_await sections_.read_rooms(span_, rooms_);
  for (RoomPart& part : rooms_) {
    co_await members_.add(part, sections_.summary().heroes(part.info->nid));
    co_await stripped_.read(part);
    co_await cost_.slice.give_way();
  }
  co_await states_.load(rooms_);
  for (RoomPart& part : rooms_)
    states_.append_last_own_event(part);
}

bool SyncBuilder::worth_telling(const RoomPart& part) const {
  switch (part.list) {
    case RoomPart::List::invite:
    case RoomPart::List::knock:
      return !part.stripped_state.empty();
    case RoomPart::List::leave:
      return true;
    case RoomPart::List::join:
      break;
  }
  return span_.every_room() || part.fresh || part.limited || !part.timeline.empty() || !part.state.empty() ||
         !sections_.empty_in(part.info->nid);
}

}  // namespace causeway
