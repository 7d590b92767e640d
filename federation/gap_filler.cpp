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
constexpr std::size_t batch = 100;
constexpr unsigned max_attempts = 6;
constexpr std::chrono::milliseconds first_pause = 1s;  // doubles with every attempt

using Steady = std::chrono::steady_clock::time_point;

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

  // One worker per room; one that is at work, or waits, looks again.
  void wake(const RoomId& room) {
    if (stopping) return;
    const auto [worker, fresh] = workers.try_emplace(room);
    worker->second.woken = true;
    if (worker->second.waiting) worker->second.waiting->cancel();
    if (fresh) asio::co_spawn(services.reactor, work(shared_from_this(), room), asio::detached);
  }

  static Task<> work(std::shared_ptr<Impl> self, RoomId room) {
    while (!self->stopping && std::exchange(self->workers[room].woken, false)) {
      std::optional<Steady> again;
      try {
        auto place = co_await self->gate.enter();
        if (!self->stopping) again = co_await self->settle_room(room);
      } catch (const std::exception& error) {
        spdlog::error("federation: staged events of {}: {}", room.str(), error.what());
        again = self->services.clock.steady() + first_pause;
      }
      if (again && !self->workers[room].woken && !self->stopping) co_await self->sleep(room, *again);
    }
    self->workers.erase(room);
  }

  // Until then, or until woken.
  Task<> sleep(RoomId room, Steady until) {
    const auto time = std::max<Steady::duration>(until - services.clock.steady(), 0ms);
    auto timer = std::make_shared<asio::steady_timer>(services.reactor, time);
    workers[room].waiting = timer;
    boost::system::error_code ignored;
    co_await timer->async_wait(asio::redirect_error(asio::use_awaitable, ignored));
    workers[room].waiting = nullptr;
    workers[room].woken = true;
  }

  // Goes once through what is staged and due. Returns when to come back for what is left.
  Task<std::optional<Steady>> settle_room(RoomId room_id) {
    auto read = [room_id](db::Connection& c) { return db::staged_pdus(c, room_id, batch); };
    auto staged = co_await services.database.run(std::move(read));
    if (staged.empty()) co_return std::nullopt;
    auto room = co_await services.reader.room(room_id);
    std::vector<EventId> settled;
    std::optional<Steady> again;
    for (auto& pdu : staged) {
      if (stopping) break;
      if (is_due(pdu.event_id)) {
        bool over = !room;
        if (room) over = co_await settle(room, pdu);
        if (over || give_up(pdu)) {
          settled.push_back(pdu.event_id);
          continue;
        }
      }
      const auto due = attempts[pdu.event_id].not_before;
      again = std::min(again.value_or(due), due);
    }
    for (const auto& id : settled)
      attempts.erase(id);
    if (staged.size() == batch && !settled.empty()) again = services.clock.steady();
    if (settled.empty()) co_return again;
    auto erase = [ids = std::move(settled)](db::Connection& c) { db::unstage_pdus(c, ids); };
    co_await services.database.run(std::move(erase));
    co_return again;
  }

  bool is_due(const EventId& id) const {
    const auto found = attempts.find(id);
    return found == attempts.end() || found->second.not_before <= services.clock.steady();
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
    auto& attempt = attempts[pdu.event_id];
    if (++attempt.made >= max_attempts) {
      spdlog::warn("federation: gave up {} of {}: what it builds on can't be had", pdu.event_id.str(),
                   pdu.room_id.str());
      return true;
    }
    attempt.not_before = services.clock.steady() + first_pause * (1 << attempt.made);
    return false;
  }

  Task<> drain() {
    stopping = true;
    for (auto& [room, worker] : workers)
      if (worker.waiting) worker.waiting->cancel();
    co_return;
  }

  struct Worker {
    bool woken = false;
    std::shared_ptr<asio::steady_timer> waiting;
  };
  struct Attempt {
    unsigned made = 0;
    Steady not_before{};
  };

  Services services;
  Gate gate;
  std::unordered_map<RoomId, Worker> workers;
  std::unordered_map<EventId, Attempt> attempts;  // of what is staged
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
