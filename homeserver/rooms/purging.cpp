// What is stored of a room goes when the last local user who was in it has forgotten it.
//
// A purge begins in the room's lane: the room loses its row, so to everybody else it is unknown from then on, and its
// number is never used again. What has that number is deleted in the background, step by step, whatever happens in
// between. A room of the same ID can be joined again: the rest is deleted first, since events are stored once.

#include "homeserver/rooms/room_service_impl.hpp"
#include "schema/log.hpp"

namespace causeway {

namespace {

constexpr std::size_t max_rooms_per_round = 100;
constexpr std::size_t max_rows_per_step = 1'000;

}  // namespace

Task<std::size_t> RoomService::Impl::purge_forgotten_rooms(std::chrono::milliseconds retention) {
  auto find = [retention](db::Connection& connection) {
    return db::room_purges(connection, retention.count(), max_rooms_per_round);
  };
  const auto purges = co_await services.database.run(std::move(find));
  std::size_t gone = 0;
  for (const db::RoomPurge& purge : purges) {
    const bool is_gone = co_await try_purge(purge);
    if (is_gone) ++gone;
  }
  co_return gone;
}

// One that fails is tried again in the next round, and keeps none of the others from its turn.
Task<bool> RoomService::Impl::try_purge(db::RoomPurge purge) {
  try {
    bool begun = purge.begun;
    if (!begun) begun = co_await begin_purge(purge);
    if (!begun) co_return false;
    co_await finish_purge(purge.room);
  } catch (const db::Unavailable&) {
    throw;  // the others would fare no better
  } catch (const std::exception& error) {
    log::error("room {}: not deleted: {}", purge.id.str(), error.what());
    co_return false;
  }
  log::info("room {}: forgotten by all its users here, and deleted", purge.id.str());
  co_return true;
}

Task<bool> RoomService::Impl::begin_purge(db::RoomPurge purge) {
  auto lock = co_await heads.enter(purge.id);
  if (!lock || !lock->known() || lock->head().nid != purge.room) co_return false;
  co_return co_await begin_purge(*lock, db::PurgeIf::forgotten);
}

Task<bool> RoomService::Impl::begin_purge(RoomLock& lock, db::PurgeIf condition) {
  const bool settled = co_await heads.settle(lock);
  if (!settled) co_return false;
  const RoomNid room = lock.head().nid;
  auto find = [room](db::Connection& connection) { return db::users_of_room(connection, room); };
  auto begin = [room, condition, me = services.writer.id()](db::Connection& connection) {
    return db::begin_room_purge(connection, me, room, condition);
  };
  const auto users = co_await services.database.run(std::move(find));
  const auto forget = [&] {
    services.reader.forget(lock.head().id, room, users);
    heads.forget(lock);
  };
  db::PurgeBegun begun{};
  try {
    begun = co_await services.database.run(std::move(begin));
  } catch (const db::OutcomeUnknown&) {
    forget();  // and read again what became of it
    throw;
  }
  if (begun != db::PurgeBegun::yes) co_return false;
  forget();
  co_return true;
}

Task<> RoomService::Impl::finish_purge(RoomNid room) {
  for (bool done = false; !done;) {
    auto work = [room](db::Connection& connection) { return db::purge_room(connection, room, max_rows_per_step); };
    const auto step = co_await services.database.run(std::move(work));
    services.events.forget(step.events);
    done = step.done;
  }
}

Task<> RoomService::Impl::finish_purge(RoomId room_id) {
  auto find = [room_id](db::Connection& connection) { return db::begun_room_purge(connection, room_id); };
  const auto room = co_await services.database.run(std::move(find));
  if (room) co_await finish_purge(*room);
}

}  // namespace causeway
