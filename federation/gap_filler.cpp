#include "federation/gap_filler.hpp"

#include <spdlog/spdlog.h>

#include <boost/asio/redirect_error.hpp>

#include "federation/concurrency.hpp"
#include "federation/missing_events.hpp"
#include "schema/db/tables/staged_pdus.hpp"
#include "schema/json/json.hpp"

namespace causeway::federation {

namespace {

using namespace std::chrono_literals;

constexpr std::size_t max_staged_per_room = 1'000;
constexpr std::size_t rooms_at_once = 8;
constexpr std::size_t batch = 50;
constexpr unsigned max_attempts = 6;
constexpr std::chrono::milliseconds first_pause = 2s;  // doubles with every attempt

}  // namespace

struct GapFiller::Impl : std::enable_shared_from_this<Impl> {
  explicit Impl(Services given) : services(given), gate(rooms_at_once) {}

  Task<bool> stage(ServerName origin, EventPtr event) {
    db::StagedPdu pdu;
    pdu.event_id = event->id();
    pdu.room_id = event->room_id();
    pdu.origin = origin;
    pdu.json = event->json();
    pdu.received_ts = services.clock.now_ms();
    auto write = [staged = std::move(pdu)](db::Connection& c) { return db::stage_pdu(c, staged, max_staged_per_room); };
    const bool is_staged = co_await services.database.run(std::move(write));
    if (is_staged) wake(event->room_id());
    co_return is_staged;
  }

  Task<> start() {
    std::string after;
    for (;;) {
      auto page = [after](db::Connection& c) { return db::rooms_with_staged_pdus(c, after, batch); };
      auto rooms = co_await services.database.run(std::move(page));
      if (rooms.empty()) co_return;
      after = rooms.back().str();
      for (const auto& room : rooms)
        wake(room);
    }
  }

  // One worker per room; one that is at work looks again before it ends.
  void wake(const RoomId& room) {
    if (stopping) return;
    const auto [worker, fresh] = active.try_emplace(room);
    worker->second.woken = true;
    if (fresh) asio::co_spawn(services.reactor, work(shared_from_this(), room), asio::detached);
  }

  static Task<> work(std::shared_ptr<Impl> self, RoomId room) {
    while (!self->stopping && std::exchange(self->active[room].woken, false)) {
      try {
        auto place = co_await self->gate.enter();
        if (!self->stopping) co_await self->settle_room(room);
      } catch (const std::exception& error) {
        spdlog::error("federation: staged events of {}: {}", room.str(), error.what());
      }
      if (self->active[room].pause > 0ms) co_await self->sleep(room);
    }
    self->active.erase(room);
  }

  Task<> sleep(RoomId room) {
    auto timer = std::make_shared<asio::steady_timer>(services.reactor, active[room].pause);
    active[room].timer = timer;
    active[room].pause = 0ms;
    active[room].woken = true;
    boost::system::error_code ignored;
    co_await timer->async_wait(asio::redirect_error(asio::use_awaitable, ignored));
  }

  // Goes through what is staged once; what could not be settled sets a pause, after which it is tried again.
  Task<> settle_room(RoomId room_id) {
    auto read = [room_id](db::Connection& c) { return db::staged_pdus(c, room_id, batch); };
    auto staged = co_await services.database.run(std::move(read));
    if (staged.empty()) co_return;
    auto room = co_await services.reader.room(room_id);
    std::vector<EventId> settled;
    for (auto& pdu : staged) {
      if (stopping) break;
      const bool over = !room || co_await settle(room, pdu);
      if (over || give_up(pdu)) settled.push_back(pdu.event_id);
    }
    const bool more = staged.size() == batch && !settled.empty();
    if (!settled.empty()) {
      for (const auto& id : settled)
        attempts.erase(id);
      auto erase = [settled](db::Connection& c) { db::unstage_pdus(c, settled); };
      co_await services.database.run(std::move(erase));
    }
    if (more) active[room_id].woken = true;
  }

  Task<bool> settle(RoomInfoPtr room, db::StagedPdu& pdu) {
    auto object = json::parse_object(pdu.json);
    if (!object) co_return true;
    auto verified = co_await services.checker.check(room->version, std::move(*object));
    if (!verified) co_return false;  // its keys may be had later
    MissingEvents::Services of_missing{services.events, services.rooms, services.remote};
    MissingEvents missing(of_missing, room, pdu.origin);
    co_return co_await missing.receive(std::move(*verified));
  }

  // Counts an attempt. True when it was the last.
  bool give_up(const db::StagedPdu& pdu) {
    const unsigned made = ++attempts[pdu.event_id];
    if (made >= max_attempts) {
      spdlog::warn("federation: gave up {} of {}: what it builds on can't be had", pdu.event_id.str(),
                   pdu.room_id.str());
      return true;
    }
    auto& pause = active[pdu.room_id].pause;
    const auto wanted = first_pause * (1 << made);
    pause = pause > 0ms ? std::min<std::chrono::milliseconds>(pause, wanted) : wanted;
    return false;
  }

  Task<> drain() {
    stopping = true;
    for (auto& [room, worker] : active)
      if (worker.timer) worker.timer->cancel();
    co_return;
  }

  struct Worker {
    bool woken = false;
    std::chrono::milliseconds pause{0};
    std::shared_ptr<asio::steady_timer> timer;
  };

  Services services;
  Gate gate;
  std::unordered_map<RoomId, Worker> active;
  std::unordered_map<EventId, unsigned> attempts;
  bool stopping = false;
};

GapFiller::GapFiller(Services services) : impl_(std::make_shared<Impl>(services)) {}
GapFiller::~GapFiller() = default;

Task<bool> GapFiller::stage(ServerName origin, EventPtr event) {
  return impl_->stage(std::move(origin), std::move(event));
}
Task<> GapFiller::start() {
  return impl_->start();
}
Task<> GapFiller::drain() {
  return impl_->drain();
}

}  // namespace causeway::federation
