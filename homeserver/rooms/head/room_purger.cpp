#include "homeserver/rooms/head/room_purger.hpp"

#include "schema/log.hpp"

namespace causeway {

namespace {

constexpr std::size_t max_rooms_per_round = 100;
constexpr std::size_t max_rows_per_step = 1'000;

}  // namespace

Task<std::size_t> RoomPurger::purge_forgotten(std::chrono::milliseconds retention) {
  auto find = [retention](db::Connection& connection) {
    return db::room_purges(connection, retention.count(), max_rooms_per_round);
  };
  const auto purges = co_await services_.database.run(std::move(find));
  std::size_t gone = 0;
  for (const db::RoomPurge& purge : purges) {
    const bool is_gone = co_await try_purge(purge);
    if (is_gone) ++gone;
  }
  co_return gone;
}

// One that fails is tried again in the next round, and keeps none of the others from its turn.
Task<bool> RoomPurger::try_purge(db::RoomPurge purge) {
  try {
    bool begun = purge.begun;
    if (!begun) begun = co_await begin(purge);
    if (!begun) co_return false;
    co_await finish(purge.room);
  } catch (const db::Unavailable&) {
    throw;  // the others would fare no better
  } catch (const std::exception& error) {
    log::error("room {}: not deleted: {}", purge.id.str(), error.what());
    co_return false;
  }
  log::info("room {}: forgotten by all its users here, and deleted", purge.id.str());
  co_return true;
}

Task<bool> RoomPurger::begin(db::RoomPurge purge) {
  auto lock = co_await services_.heads.enter(purge.id);
  if (!lock || !lock->known() || lock->head().nid != purge.room) co_return false;
  co_return co_await begin(*lock, db::PurgeIf::forgotten);
}

Task<bool> RoomPurger::begin(RoomLock& lock, db::PurgeIf condition) {
  const bool settled = co_await services_.heads.settle(lock);
  if (!settled) co_return false;
  const RoomNid room = lock.head().nid;
  auto find = [room](db::Connection& connection) { return db::users_of_room(connection, room); };
  auto start = [room, condition, me = services_.writer.id()](db::Connection& connection) {
    return db::begin_room_purge(connection, me, room, condition);
  };
  const auto users = co_await services_.database.run(std::move(find));
  const auto forget = [&] {
    services_.reader.forget(lock.head().id, room, users);
    services_.heads.forget(lock);
  };
  db::PurgeBegun begun{};
  try {
    begun = co_await services_.database.run(std::move(start));
  } catch (const db::OutcomeUnknown&) {
    forget();  // and read again what became of it
    throw;
  }
  if (begun != db::PurgeBegun::yes) co_return false;
  forget();
  co_return true;
}

Task<> RoomPurger::finish(RoomNid room) {
  for (bool done = false; !done;) {
    auto work = [room](db::Connection& connection) { return db::purge_room(connection, room, max_rows_per_step); };
    const auto step = co_await services_.database.run(std::move(work));
    services_.events.forget(step.events);
    done = step.done;
  }
}

Task<> RoomPurger::finish(RoomId room_id) {
  auto find = [room_id](db::Connection& connection) { return db::begun_room_purge(connection, room_id); };
  const auto room = co_await services_.database.run(std::move(find));
  if (room) co_await finish(*room);
}

}  // namespace causeway
