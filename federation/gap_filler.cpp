#include "federation/gap_filler.hpp"

#include <prometheus/counter.h>

#include "federation/missing_events.hpp"
#include "homeserver/runtime/concurrency.hpp"
#include "schema/db/failures.hpp"
#include "schema/db/tables/staged_pdus.hpp"
#include "schema/json/json.hpp"
#include "schema/log.hpp"

namespace causeway::federation {

namespace {

using namespace std::chrono_literals;

constexpr std::size_t max_staged_per_room = 1'000;
constexpr std::size_t max_staged_per_origin = 250;  // of a room
constexpr std::size_t max_servers = 4;              // asked for what one event misses
// Then other rooms have their turn.
constexpr std::chrono::seconds longest_turn = 60s;
constexpr std::chrono::milliseconds drain_time = 3s;
constexpr std::size_t rooms_at_once = 8;
constexpr std::size_t batch = 20;
constexpr unsigned max_attempts = 6;
constexpr std::chrono::milliseconds first_pause = 1s;  // doubles with every attempt

using Steady = std::chrono::steady_clock::time_point;

}  // namespace

struct GapFiller::Impl : std::enable_shared_from_this<Impl> {
  explicit Impl(Services given)
      : services(given), gate(rooms_at_once), settled_count(count("settled")), given_up_count(count("given_up")) {}

  prometheus::Counter& count(const char* result) {
    return services.metrics.counter("federation_staged_pdus_total", "PDUs that waited for missing events",
                                    {{"result", result}});
  }

  Task<bool> stage(ServerName origin, EventPtr event) {
    db::StagedPdu pdu;
    pdu.event_id = event->id();
    pdu.room_id = event->room_id();
    pdu.origin = origin;
    pdu.json = event->json();
    pdu.received_ts = services.clock.now_ms();
    auto write = [staged = std::move(pdu)](db::Connection& c) {
      return db::stage_pdu(c, staged, max_staged_per_room, max_staged_per_origin);
    };
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
    if (fresh) spawn(services.reactor, work(shared_from_this(), room), asio::detached);
  }

  static Task<> work(std::shared_ptr<Impl> self, RoomId room) {
    while (!self->stopping && std::exchange(self->workers[room].woken, false)) {
      std::optional<Steady> again;
      try {
        auto place = co_await self->gate.enter();
        if (!self->stopping) again = co_await self->settle_room(room);
      } catch (const std::exception& error) {
        log::error("federation: staged events of {}: {}", room.str(), error.what());
        again = self->services.clock.steady() + first_pause;
      }
      if (again && !self->workers[room].woken && !self->stopping) co_await self->sleep(room, *again);
    }
    self->workers.erase(room);
    if (self->stopping && self->workers.empty()) self->all_ended.cancel();
  }

  // Until then, or until woken.
  Task<> sleep(RoomId room, Steady until) {
    const auto time = std::max<Steady::duration>(until - services.clock.steady(), 0ms);
    auto timer = std::make_shared<asio::steady_timer>(services.reactor, time);
    workers[room].waiting = timer;
    co_await expiry(*timer);
    workers[room].waiting = nullptr;
    workers[room].woken = true;
  }

  // Goes once through what is staged and due. Returns when to come back for what is left.
  Task<std::optional<Steady>> settle_room(RoomId room_id) {
    const Steady began = services.clock.steady();
    auto read = [room_id, waiting = not_due(room_id)](db::Connection& c) {
      return db::staged_pdus(c, room_id, waiting, batch);
    };
    auto staged = co_await services.database.run(std::move(read));
    auto room = co_await services.reader.room(room_id);
    std::vector<EventId> over;
    std::set<ServerName> silent;
    bool all_seen = staged.size() < batch;
    for (auto& pdu : staged) {
      if (stopping || services.clock.steady() - began > longest_turn) {
        all_seen = false;
        break;
      }
      bool settled = true;
      if (room) settled = co_await try_to_settle(room, pdu, silent);
      if (settled) settled_count.Increment();
      if (settled || give_up(pdu)) over.push_back(pdu.event_id);
    }
    for (const auto& id : over)
      workers[room_id].attempts.erase(id);
    auto again = all_seen ? next_due(room_id) : std::optional<Steady>(services.clock.steady());
    if (over.empty()) co_return again;
    auto erase = [ids = std::move(over)](db::Connection& c) { db::unstage_pdus(c, ids); };
    co_await services.database.run(std::move(erase));
    co_return again;
  }

  std::vector<EventId> not_due(const RoomId& room) {
    std::vector<EventId> out;
    for (const auto& [id, attempt] : workers[room].attempts)
      if (attempt.not_before > services.clock.steady()) out.push_back(id);
    return out;
  }

  std::optional<Steady> next_due(const RoomId& room) {
    std::optional<Steady> next;
    for (const auto& [id, attempt] : workers[room].attempts)
      if (attempt.not_before > services.clock.steady())
        next = std::min(next.value_or(attempt.not_before), attempt.not_before);
    return next;
  }

  // An event that fails counts its attempts like one whose past can't be had, so that it is given up in the end.
  Task<bool> try_to_settle(RoomInfoPtr room, db::StagedPdu& pdu, std::set<ServerName>& silent) {
    try {
      co_return co_await settle(room, pdu, silent);
    } catch (const std::exception& error) {
      if (db::may_pass(error)) throw;
      log::error("federation: staged event {} of {}: {}", pdu.event_id.str(), room->id.str(), error.what());
    }
    co_return false;
  }

  Task<bool> settle(RoomInfoPtr room, db::StagedPdu& pdu, std::set<ServerName>& silent) {
    auto object = json::parse_object(pdu.json);
    if (!object) co_return true;
    auto verified = co_await services.checker.check(room->version, std::move(*object));
    if (!verified) co_return false;  // its keys may be had later
    auto servers = co_await servers_to_ask(room, verified->event()->sender().server_name(), pdu.origin);
    MissingEvents::Services of_missing{services.events, services.rooms, services.remote};
    MissingEvents missing(of_missing, room, pdu.origin, std::move(servers), silent);
    co_return co_await missing.receive(std::move(*verified));
  }

  // First the author, who can lie about no events but its own; then who sent it; then others of the room. Of those two
  // also one that is not in the room as far as is known here: that may be what is missing.
  Task<std::vector<ServerName>> servers_to_ask(RoomInfoPtr room, ServerName author, ServerName origin) {
    std::vector<ServerName> servers;
    const auto add = [&servers](const ServerName& server) {
      if (servers.size() < max_servers && std::ranges::find(servers, server) == servers.end())
        servers.push_back(server);
    };
    add(author);
    add(origin);
    auto members = co_await services.reader.members(room->nid);
    for (const auto& server : members->joined_servers)
      if (server != services.self.name) add(server);
    co_return servers;
  }

  // Counts an attempt. True when it was the last.
  bool give_up(const db::StagedPdu& pdu) {
    auto& attempt = workers[pdu.room_id].attempts[pdu.event_id];
    if (++attempt.made >= max_attempts) {
      log::warn("federation: gave up {} of {}: what it builds on can't be had", pdu.event_id.str(), pdu.room_id.str());
      given_up_count.Increment();
      return true;
    }
    attempt.not_before = services.clock.steady() + first_pause * (1 << attempt.made);
    return false;
  }

  Task<> drain() {
    stopping = true;
    for (auto& [room, worker] : workers)
      if (worker.waiting) worker.waiting->cancel();
    if (workers.empty()) co_return;
    all_ended.expires_after(drain_time);
    co_await expiry(all_ended);
  }

  struct Attempt {
    unsigned made = 0;
    Steady not_before{};
  };
  struct Worker {
    bool woken = false;
    std::shared_ptr<asio::steady_timer> waiting;
    std::unordered_map<EventId, Attempt> attempts;  // of what is staged
  };

  Services services;
  Gate gate;
  std::unordered_map<RoomId, Worker> workers;
  asio::steady_timer all_ended{services.reactor};
  prometheus::Counter& settled_count;
  prometheus::Counter& given_up_count;
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
