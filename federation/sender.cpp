#include "federation/sender.hpp"

#include <prometheus/counter.h>

#include <random>

#include "federation/destination.hpp"
#include "federation/request_target.hpp"
#include "federation/servers_in_rooms.hpp"
#include "homeserver/runtime/concurrency.hpp"
#include "homeserver/stream/consumer.hpp"
#include "schema/json/json.hpp"
#include "schema/log.hpp"

namespace causeway::federation {

namespace {

using namespace std::chrono_literals;

constexpr std::size_t max_typing_news = 4'096;
constexpr std::size_t max_transactions_at_once = 128;
// Destinations that fail wait for their time-outs among themselves.
constexpr std::size_t max_retries_at_once = 16;
constexpr std::size_t max_idle_destinations = 5'000;
constexpr std::size_t owed_page = 10'000;
constexpr std::chrono::milliseconds save_interval = 500ms;
constexpr std::chrono::milliseconds drain_time = 3s;

struct NewTyping {
  RoomNid room;
  UserId user;
  bool typing;
};

}  // namespace

struct Sender::Impl : std::enable_shared_from_this<Impl> {
  using DestinationPtr = std::shared_ptr<Destination>;

  Impl(Services given, outbound::Backoff b, std::chrono::milliseconds timeout)
      : services(given),
        backoff(b),
        request_timeout(timeout),
        servers_in_rooms(services.database),
        gate(max_transactions_at_once),
        retry_gate(max_retries_at_once),
        save_timer(services.reactor),
        epoch(services.clock.now_ms()),
        sent(services.metrics.counter("federation_transactions_total", "Transactions sent to other servers",
                                      {{"result", "ok"}})),
        failures(services.metrics.counter("federation_transactions_total", "Transactions sent to other servers",
                                          {{"result", "failed"}})) {}

  // --- from the stream --------------------------------------------------------------------------------------------

  static Consumer::Work work(std::weak_ptr<Impl> weak) {
    return {[weak](CommittedPtr facts) -> Task<> {
              if (const auto self = weak.lock()) co_await self->take(std::move(facts));
            },
            [weak](StreamPosition, StreamPosition) -> Task<> {
              if (const auto self = weak.lock()) co_await self->recover();
            }};
  }

  // Where what happens is in the order of the positions, the event comes first: it still goes to those it removes, not
  // to those it brings.
  Task<> take(CommittedPtr facts) {
    for (const CommittedEvent& event : facts->events) {
      const StreamPosition position = event.stored->position();
      co_await hand_on_event(facts, event.stored);
      for (const CommittedServer& server : facts->servers)
        if (server.position == position) note_server(facts->room, server);
    }
    for (const CommittedServer& server : facts->servers)
      if (server.position == facts->after) note_server(facts->room, server);
    for (const Change& change : facts->changes) {
      const auto* receipt = std::get_if<db::ReceiptChange>(&change);
      if (receipt && receipt->local && receipt->receipt_type == "m.read") co_await hand_on_receipt(*receipt);
    }
  }

  void note_server(RoomNid room, const CommittedServer& change) {
    if (change.joined)
      servers_in_rooms.joined(room, change.server, change.position);
    else
      servers_in_rooms.left(room, change.server, change.position);
  }

  Task<> hand_on_event(CommittedPtr facts, StoredEventPtr event) {
    constexpr auto not_sent = db::EventFlags::rejected | db::EventFlags::soft_failed;
    if (!event->is_live() || event->has(not_sent)) co_return;
    std::vector<ServerNid> servers;
    const StreamPosition position = event->position();
    if (event->has(db::EventFlags::local)) {
      handed_on = position;
      servers = co_await servers_in_rooms.at(event->room, position, handed_on);
    }
    for (const CommittedDebt& debt : facts->debts)
      if (debt.position == position) servers.push_back(debt.server);
    if (servers.empty()) co_return;
    handed_on = position;
    auto to = co_await load(std::move(servers));
    for (const auto& destination : to)
      destination->offer(position, event->event);
    wake(to);
  }

  Task<> hand_on_receipt(db::ReceiptChange receipt) {
    auto to = co_await destinations_in(receipt.room);
    for (const auto& destination : to)
      destination->offer(receipt.position, receipt);
    wake(to);
  }

  // Typing has no place in the stream, and is not owed to anybody who is not there.
  void tell(NewTyping news) {
    if (stopping || typing_news.size() >= max_typing_news) return;
    typing_news.push_back(std::move(news));
    if (!std::exchange(telling, true)) spawn(services.reactor, tell_typing(shared_from_this()), asio::detached);
  }

  static Task<> tell_typing(std::shared_ptr<Impl> self) {
    while (!self->typing_news.empty() && !self->stopping) {
      NewTyping news = std::move(self->typing_news.front());
      self->typing_news.pop_front();
      try {
        co_await self->hand_on_typing(std::move(news));
      } catch (const std::exception& error) {
        log::warn("federation: who types was not told: {}", error.what());
      }
    }
    self->telling = false;
  }

  Task<> hand_on_typing(NewTyping news) {
    auto to = co_await destinations_in(news.room);
    auto room = co_await services.reader.room(news.room);
    if (!room) co_return;
    for (const auto& destination : to)
      destination->offer_typing(room->id, news.user, news.typing);
    wake(to);
  }

  // Of the servers that are in the room now.
  Task<std::vector<DestinationPtr>> destinations_in(RoomNid room) {
    auto servers = co_await servers_in_rooms.at(room, services.hub.position() + 1, handed_on);
    co_return co_await load(std::move(servers));
  }

  // --- destinations -----------------------------------------------------------------------------------------------

  Task<std::vector<DestinationPtr>> load(std::vector<ServerNid> servers) {
    std::vector<ServerNid> unknown;
    for (const auto server : servers)
      if (!destinations.contains(server) && server != self_nid) unknown.push_back(server);
    if (!unknown.empty()) co_await load_unknown(std::move(unknown));
    std::vector<DestinationPtr> out;
    for (const auto server : servers)
      if (const auto found = destinations.find(server); found != destinations.end()) out.push_back(found->second);
    co_return out;
  }

  Task<> load_unknown(std::vector<ServerNid> servers) {
    auto names = co_await services.interner.server_names(servers);
    auto read = [servers](db::Connection& c) { return db::load_destinations(c, servers); };
    auto rows = co_await services.database.run(std::move(read));
    std::unordered_map<ServerNid, db::DestinationRow> by_server;
    for (const auto& row : rows)
      by_server.emplace(row.server, row);
    for (std::size_t i = 0; i < servers.size(); ++i) {
      if (names[i] == services.self.name || destinations.contains(servers[i])) continue;
      const auto row = by_server.find(servers[i]);
      auto made = std::make_shared<Destination>(
          servers[i], names[i], row == by_server.end() ? std::nullopt : std::optional<db::DestinationRow>(row->second));
      by_name.insert_or_assign(names[i], made);
      destinations.emplace(servers[i], std::move(made));
    }
  }

  void wake(const std::vector<DestinationPtr>& to) {
    for (const auto& destination : to)
      if (destination->has_work() && !stopping && !std::exchange(destination->running, true)) {
        ++running;
        spawn(services.reactor, serve(shared_from_this(), destination), asio::detached);
      }
  }

  // After a start, or when news were lost: everyone who is owed something reads it from the database.
  Task<> recover() {
    servers_in_rooms.forget_all();
    const auto until = services.hub.position();
    for (auto& [nid, destination] : destinations)
      destination->fall_behind(until);
    ServerNid above{0};
    for (;;) {
      auto page = [above, until](db::Connection& c) { return db::servers_owed(c, above, until, owed_page); };
      auto servers = co_await services.database.run(std::move(page));
      if (servers.empty()) break;
      above = servers.back();
      auto owed = co_await load(std::move(servers));
      wake(owed);
    }
  }

  // --- one destination --------------------------------------------------------------------------------------------

  static Task<> serve(std::shared_ptr<Impl> self, DestinationPtr destination) {
    while (!self->stopping && destination->has_work()) {
      try {
        co_await self->wait_for_retry(destination);
        if (self->stopping) break;
        co_await self->send_next(destination);
      } catch (const std::exception& error) {
        log::error("federation: sending to {}: {}", destination->name().str(), error.what());
        self->note_failure(*destination);
      }
    }
    destination->running = false;
    if (--self->running == 0) self->all_ended.cancel();
  }

  Task<> wait_for_retry(DestinationPtr destination) {
    for (;;) {
      const auto left = backoff.left_ms(destination->retry_at(), services.clock.now_ms());
      if (left == 0 || stopping) co_return;
      auto timer = std::make_shared<asio::steady_timer>(services.reactor, std::chrono::milliseconds(left));
      destination->backoff_wait = timer;
      co_await expiry(*timer);
      destination->backoff_wait = nullptr;
    }
  }

  Task<> send_next(DestinationPtr destination) {
    auto place = co_await (destination->healthy() ? gate : retry_gate).enter();
    if (!destination->current) {
      auto next = co_await make_transaction(destination);
      if (next.empty()) {
        destination->succeeded(next);
        note_unsaved();
        co_return;
      }
      destination->current = std::move(next);
    }
    RequestTarget target("/_matrix/federation/v1/send");
    target.segment(destination->current->id);
    Call call;
    call.server = destination->name();
    call.verb = http::Verb::put;
    call.target = target.str();
    call.body = destination->current->body;
    call.timeout = request_timeout;
    auto reply = co_await services.client.fetch(std::move(call));
    if (!reply) {
      log::info("federation: transaction to {}: {}", destination->name().str(), reply.error().message);
      note_failure(*destination);
      co_return;
    }
    sent.Increment();
    // spec: server-server-api#put_matrixfederationv1sendtxnid: the status alone says that it has arrived.
    auto results = co_await services.client.parse_reply(std::move(*reply));
    if (results) log_refusals(*destination, *results);
    const auto done = std::exchange(destination->current, std::nullopt);
    destination->succeeded(*done);
    note_unsaved();
  }

  Task<Transaction> make_transaction(DestinationPtr destination) {
    if (destination->wants_pdus()) co_await read_outbox(destination);
    if (destination->wants_receipts()) co_await read_receipts(destination);
    Transaction transaction;
    destination->take_pdus(transaction);
    destination->take_edus(transaction);
    transaction.id = std::to_string(epoch) + "-" + std::to_string(++transactions);
    transaction.body =
        transaction_body(services.self.name, services.clock.now_ms(), transaction.pdus, transaction.edus);
    co_return transaction;
  }

  Task<> read_outbox(DestinationPtr destination) {
    const auto span = destination->next_span(services.hub.position());
    auto read = [server = destination->nid(), span](db::Connection& c) {
      return db::outbox(c, server, span.after, span.up_to, max_queued_pdus);
    };
    auto rows = co_await services.database.run(std::move(read));
    destination->take_rows(span, std::move(rows));
  }

  Task<> read_receipts(DestinationPtr destination) {
    const auto span = destination->next_receipts(services.hub.position());
    auto read = [self = self_nid, server = destination->nid(), span](db::Connection& c) {
      return db::receipts_owed(c, self, server, span.after, span.up_to, max_edus);
    };
    const auto rows = co_await services.database.run(std::move(read));
    destination->take_rows(span, rows, rows.size() == max_edus);
  }

  static void log_refusals(const Destination& destination, const boost::json::object& reply) {
    const auto* pdus = json::find_object(reply, "pdus");
    if (!pdus) return;
    for (const auto& [id, result] : *pdus)
      if (result.is_object())
        if (const auto why = json::find_string(result.get_object(), "error"))
          log::info("federation: {} did not take {}: {}", destination.name().str(), std::string_view(id), *why);
  }

  void note_failure(Destination& destination) {
    failures.Increment();
    destination.failed(services.clock.now_ms(), backoff, std::uniform_real_distribution<double>(0, 1)(random));
    note_unsaved();
  }

  // --- saving -----------------------------------------------------------------------------------------------------

  void note_unsaved() {
    if (!std::exchange(saving, true)) spawn(services.reactor, save_soon(shared_from_this()), asio::detached);
  }

  static Task<> save_soon(std::shared_ptr<Impl> self) {
    self->save_timer.expires_after(save_interval);
    co_await expiry(self->save_timer);
    self->saving = false;
    if (!self->stopping) co_await self->save();
  }

  Task<> save() {
    std::vector<db::DestinationRow> rows;
    for (auto& [nid, destination] : destinations)
      if (auto row = destination->take_unsaved()) rows.push_back(*row);
    if (rows.empty()) co_return;
    try {
      auto write = [saved = std::move(rows)](db::Connection& c) { db::save_destinations(c, saved); };
      co_await services.database.run(std::move(write));
    } catch (const std::exception& error) {
      // The next success saves a later cursor; until then a restart would only send again what was sent.
      log::warn("federation: cursors could not be saved: {}", error.what());
    }
    forget_idle();
  }

  void forget_idle() {
    if (destinations.size() < max_idle_destinations) return;
    std::erase_if(destinations, [this](const auto& entry) {
      const Destination& destination = *entry.second;
      if (destination.running || destination.has_work() || destination.unsaved()) return false;
      by_name.erase(destination.name());
      return true;
    });
  }

  // --- outside ----------------------------------------------------------------------------------------------------

  void encourage(const ServerName& server) {
    const auto found = by_name.find(server);
    if (found == by_name.end() || !found->second->encourage(services.clock.now_ms(), backoff)) return;
    if (found->second->backoff_wait) found->second->backoff_wait->cancel();
  }

  Task<> drain() {
    stopping = true;
    save_timer.cancel();
    co_await consumer->drain();
    for (auto& [nid, destination] : destinations)
      if (destination->backoff_wait) destination->backoff_wait->cancel();
    if (running > 0) {
      all_ended.expires_after(drain_time);
      co_await expiry(all_ended);
    }
    co_await save();
  }

  Services services;
  const outbound::Backoff backoff;
  const std::chrono::milliseconds request_timeout;
  ServersInRooms servers_in_rooms;
  Gate gate, retry_gate;
  asio::steady_timer save_timer;
  asio::steady_timer all_ended{services.reactor};
  const Timestamp epoch;
  prometheus::Counter& sent;
  prometheus::Counter& failures;
  ServerNid self_nid{};
  std::unordered_map<ServerNid, DestinationPtr> destinations;
  std::unordered_map<ServerName, DestinationPtr> by_name;
  std::deque<NewTyping> typing_news;
  StreamPosition handed_on = 0;  // the last event's
  bool telling = false;
  bool saving = false;
  bool stopping = false;
  std::size_t running = 0;
  std::uint64_t transactions = 0;
  std::mt19937 random{std::random_device{}()};
  std::optional<Consumer> consumer;
};

Sender::Sender(Services services, outbound::Backoff backoff, std::chrono::milliseconds request_timeout)
    : impl_(std::make_shared<Impl>(services, backoff, request_timeout)) {
  std::weak_ptr<Impl> weak = impl_;
  // Each destination has a cursor of its own.
  impl_->consumer.emplace(services.reactor, services.hub, services.database, Consumer::Settings{}, Impl::work(weak));
  services.typing.add_listener([weak](RoomNid room, const UserId& user, bool typing, bool local) {
    if (auto impl = weak.lock(); impl && local) impl->tell(NewTyping{room, user, typing});
  });
}

Sender::~Sender() = default;

Task<> Sender::start() {
  std::vector<ServerName> names;
  names.push_back(impl_->services.self.name);
  auto nids = co_await impl_->services.interner.servers(std::move(names));
  impl_->self_nid = nids.front();
  co_await impl_->consumer->start();
}

void Sender::encourage(const ServerName& server) {
  impl_->encourage(server);
}

Task<> Sender::drain() {
  return impl_->drain();
}

}  // namespace causeway::federation
