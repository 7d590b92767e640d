#include "homeserver/rooms/sending/lane_writer.hpp"

#include "schema/log.hpp"

namespace causeway {

namespace {

// How often a request is built again when what it was built on failed.
constexpr int max_attempts = 5;

}  // namespace

Task<Result<EventId>> LaneWriter::commit(RoomId room, Job job, Presence presence) {
  co_await services_.merger.merge_if_too_many(room);
  for (int attempt = 1;; ++attempt) {
    auto lock = co_await services_.heads.enter(room);
    if (!lock) co_return lock.error();
    // A room that is unknown and one that is closed to the user look the same.
    const bool in_it = lock->known() && (presence == Presence::not_needed || lock->head().in_room(services_.self.name));
    if (!in_it) co_return make_error(ErrorCode::forbidden, "You are not in this room.");
    auto unit = std::make_shared<WriteUnit>();
    auto sent = co_await job(lock->head(), *unit);
    if (!sent) co_return sent;
    if (unit->events.empty()) {
      // What is so already, perhaps by an event that is still on its way: told when that is committed.
      const bool settled = co_await services_.heads.settle(*lock);
      if (settled) co_return sent;
      if (attempt == max_attempts) co_return make_error(ErrorCode::unknown, 503, "The room is busy. Try again.");
      continue;
    }
    auto written = co_await services_.heads.commit(std::move(*lock), unit);
    if (written) co_return sent;
    if (written.failure() == WriteFailure::duplicate_transaction) {
      auto earlier = co_await services_.transactions.look_up(unit->transaction->device, unit->transaction->key);
      if (earlier) co_return *earlier;
    }
    if (written.failure() != WriteFailure::stale_head) co_return written.error();
    log::info("room {}: built on a head that failed, attempt {}", room.str(), attempt);
    if (attempt == max_attempts) co_return make_error(ErrorCode::unknown, 503, "The room is busy. Try again.");
  }
}

Task<Result<EventId>> LaneWriter::append(RoomHead& head, WriteUnit& unit, LocalDraft draft) {
  const bool is_redaction = draft.type == "m.room.redaction" && draft.redacts;
  if (is_redaction) {
    auto allowed = co_await services_.redactions.may_send(head, draft.sender, *draft.redacts);
    if (!allowed) co_return allowed.error();
  }
  auto built = co_await services_.builder.build(head, std::move(draft));
  if (!built) co_return built.error();
  const NewEventPtr event = *built;
  if (event->key) {
    // NOTSPEC: setting a key to what the same user set it to already is no new event; clients do that at every start.
    std::vector<StateKeyNid> keys(1, *event->key);
    auto holders = co_await services_.heads.holders(head, std::move(keys));
    const auto& current = holders.front();
    if (current && current->sender == event->sender && current->event->content() == event->event->content())
      co_return current->event->id();
  }
  co_await services_.builder.append(head, unit, event);
  if (is_redaction) co_await services_.redactions.apply(head, unit, event);
  co_return event->event->id();
}

}  // namespace causeway
