#include "federation/intake.hpp"

#include <prometheus/counter.h>

#include "federation/destination.hpp"
#include "homeserver/runtime/concurrency.hpp"
#include "schema/db/failures.hpp"
#include "schema/events/signing.hpp"
#include "schema/json/json.hpp"
#include "schema/log.hpp"

namespace causeway::federation {

namespace {

constexpr std::size_t max_remembered = 4'096;
constexpr std::size_t max_remembered_bytes = 4u << 20;  // names and replies, which the sender makes as long as it likes
constexpr std::size_t rooms_at_once = 8;

MatrixError too_many(std::string_view what, std::size_t limit) {
  return make_error(ErrorCode::invalid_param, 400,
                    "A transaction holds at most " + std::to_string(limit) + " " + std::string(what) + ".");
}

Result<std::vector<boost::json::object>> read_objects(boost::json::object& body, std::string_view key,
                                                      std::size_t limit) {
  auto array = json::optional_array(body, key);
  if (!array) return array.error();
  std::vector<boost::json::object> out;
  if (!*array) return out;
  if ((*array)->size() > limit) return too_many(key, limit);
  for (auto& value : body[key].get_array()) {
    if (!value.is_object()) return make_error(ErrorCode::bad_json, std::string(key) + " must hold objects.");
    out.push_back(std::move(value.get_object()));
  }
  return out;
}

// Where a PDU goes. A v12 create event has no room_id; no server sends one to a room that is known here already.
std::string room_of(const boost::json::object& pdu) {
  return std::string(json::find_string(pdu, "room_id").value_or(""));
}

// Of a room that is not known here: an ID with a domain is one that the event's server chose.
const RoomVersion& guess_version(const boost::json::object& pdu) {
  const auto chosen = json::find_string(pdu, "event_id");
  return *find_room_version(chosen && chosen->find(':') != std::string_view::npos ? "1" : default_room_version);
}

constexpr std::string_view not_in_room = "This server is not in that room.";
constexpr std::string_view denied = "Your server is denied access to this room.";

// Spares the others a check of their signatures; the room service looks closer.
bool may_withdraw(const ServerName& origin, const boost::json::object& pdu) {
  const auto sender = json::find_string(pdu, "sender");
  return json::find_string(pdu, "type") == "m.room.member" && sender && sender->ends_with(":" + origin.str());
}

boost::json::object failure(std::string_view why) {
  boost::json::object out;
  out["error"] = why;
  return out;
}

}  // namespace

struct Intake::Impl {
  // A transaction under way or answered.
  struct Remembered {
    Flag done;
    std::optional<Result<std::string>> reply;  // none: it broke off and may be tried again
    std::size_t bytes = 0;
  };
  using RememberedPtr = std::shared_ptr<Remembered>;

  // One transaction being worked on.
  struct Work {
    ServerName origin;
    std::vector<std::pair<std::string, std::vector<boost::json::object>>> rooms;  // PDUs by room, in their order
    boost::json::object results;
    std::exception_ptr broken;
  };
  using WorkPtr = std::shared_ptr<Work>;

  explicit Impl(Services given) : services(given) {
    for (const auto& [result, name] : {std::pair{Received::accepted, "accepted"},
                                       {Received::duplicate, "duplicate"},
                                       {Received::soft_failed, "soft_failed"},
                                       {Received::rejected, "rejected"},
                                       {Received::refused, "refused"},
                                       {Received::missing, "staged"}})
      counters[result] = &counter(name);
    invalid = &counter("invalid");
    failed = &counter("failed");
  }

  prometheus::Counter& counter(const char* result) {
    return services.metrics.counter("federation_pdus_received_total", "PDUs received in transactions",
                                    {{"result", result}});
  }

  Task<Result<std::string>> receive(ServerName origin, std::string transaction_id, boost::json::object body) {
    const std::string key = origin.str() + "\n" + transaction_id;
    if (auto found = remembered.find(key); found != remembered.end()) {
      auto earlier = found->second;
      co_await earlier->done.wait();
      if (earlier->reply) co_return *earlier->reply;
      co_return make_error(ErrorCode::unknown, 503, "The transaction could not be worked on; try again.");
    }
    auto entry = remember(key);
    try {
      entry->reply = co_await work_on(origin, std::move(body));
    } catch (...) {
      forget(key);
      entry->done.set();
      throw;
    }
    const auto kept = remembered.find(key);
    if (*entry->reply && kept != remembered.end() && kept->second == entry)
      count_bytes(*entry, (*entry->reply)->size());
    entry->done.set();
    co_return *entry->reply;
  }

  RememberedPtr remember(const std::string& key) {
    while (order.size() >= max_remembered || (remembered_bytes > max_remembered_bytes && !order.empty())) {
      forget(order.front());
      order.pop_front();
    }
    auto entry = std::make_shared<Remembered>();
    remembered.insert_or_assign(key, entry);
    order.push_back(key);
    count_bytes(*entry, 2 * key.size());
    return entry;
  }

  void count_bytes(Remembered& entry, std::size_t bytes) {
    entry.bytes += bytes;
    remembered_bytes += bytes;
  }

  void forget(const std::string& key) {
    const auto found = remembered.find(key);
    if (found == remembered.end()) return;
    remembered_bytes -= found->second->bytes;
    remembered.erase(found);
  }

  Task<Result<std::string>> work_on(ServerName origin, boost::json::object body) {
    auto pdus = read_objects(body, "pdus", max_pdus);
    if (!pdus) co_return pdus.error();
    auto edus = read_objects(body, "edus", max_edus);
    if (!edus) co_return edus.error();
    auto work = std::make_shared<Work>();
    work->origin = origin;
    for (auto& pdu : *pdus)
      add(*work, std::move(pdu));

    std::function<Task<>(std::size_t)> room_job = [this, work](std::size_t index) { return try_room(work, index); };
    const std::size_t rooms = work->rooms.size();
    co_await for_each_concurrently(rooms, rooms_at_once, std::move(room_job));
    // Something may not be durable: no reply, and the sender tries again.
    if (work->broken) std::rethrow_exception(work->broken);
    for (auto& edu : *edus)
      co_await services.edus.handle(origin, std::move(edu));

    boost::json::object reply;
    reply["pdus"] = std::move(work->results);
    co_return boost::json::serialize(reply);
  }

  static void add(Work& work, boost::json::object pdu) {
    const std::string room = room_of(pdu);
    auto at =
        std::find_if(work.rooms.begin(), work.rooms.end(), [&](const auto& entry) { return entry.first == room; });
    if (at == work.rooms.end()) at = work.rooms.emplace(work.rooms.end(), room, std::vector<boost::json::object>());
    at->second.push_back(std::move(pdu));
  }

  // Only what could not be made durable stops a transaction, so that the sender brings it again. Else one room that
  // this server can't cope with would stop what that server sends in all others.
  Task<> try_room(WorkPtr work, std::size_t index) {
    auto& [room_id, pdus] = work->rooms[index];
    const auto count = static_cast<double>(pdus.size());
    try {
      co_await receive_in_room(work, room_id, std::move(pdus));
    } catch (const std::exception& error) {
      if (db::may_pass(error)) {
        work->broken = std::current_exception();
        co_return;
      }
      failed->Increment(count);
      log::error("federation: what {} sent in {} is dropped: {}", work->origin.str(), room_id, error.what());
    }
  }

  Task<> receive_in_room(WorkPtr work, std::string room_id, std::vector<boost::json::object> pdus) {
    auto room = co_await find_room(room_id);
    if (!room) {
      refuse(*work, nullptr, pdus, "not_in_room", not_in_room);
      co_return;
    }
    const bool allowed = co_await services.reader.acl_allows(work->origin, room->nid);
    if (!allowed) {
      refuse(*work, room, pdus, "acl", denied);
      co_return;
    }
    if (!room->resident) {
      co_await receive_withdrawals(work, room, std::move(pdus));
      co_return;
    }
    auto verified = co_await check(work, room, std::move(pdus));
    if (verified.empty()) co_return;
    auto outcomes = co_await receive_or_set_aside(work->origin, room->id, verified);
    for (std::size_t i = 0; i < verified.size(); ++i) {
      std::string id = verified[i].event()->id().str();
      auto result = co_await settle(work->origin, std::move(verified[i]), std::move(outcomes[i]));
      work->results[id] = std::move(result);
    }
  }

  // `room`: nullptr where it is not known here.
  void refuse(Work& work, RoomInfoPtr room, std::vector<boost::json::object>& pdus, const char* reason,
              std::string_view why) {
    counter(reason).Increment(static_cast<double>(pdus.size()));
    for (auto& pdu : pdus) {
      const auto& version = room ? *room->version : guess_version(pdu);
      work.results[pdu_id(version, pdu)] = failure(why);
    }
  }

  // Of a room that this server is not in, a peer may take back its own users' invites and no more.
  Task<> receive_withdrawals(WorkPtr work, RoomInfoPtr room, std::vector<boost::json::object> pdus) {
    const auto others = std::ranges::stable_partition(
        pdus, [&](const boost::json::object& pdu) { return may_withdraw(work->origin, pdu); });
    std::vector<boost::json::object> refused(std::make_move_iterator(others.begin()),
                                             std::make_move_iterator(others.end()));
    pdus.erase(others.begin(), others.end());
    refuse(*work, room, refused, "not_in_room", not_in_room);
    auto verified = co_await check(work, room, std::move(pdus));
    for (VerifiedEvent& event : verified) {
      std::string id = event.event()->id().str();
      auto outcome = co_await services.rooms.receive_withdrawal(work->origin, event);
      auto result = co_await settle(work->origin, std::move(event), std::move(outcome));
      work->results[id] = std::move(result);
    }
  }

  // Those that pass; what is wrong with the others is told.
  Task<std::vector<VerifiedEvent>> check(WorkPtr work, RoomInfoPtr room, std::vector<boost::json::object> pdus) {
    auto checked = co_await services.checker.check(room->version, std::move(pdus));
    std::vector<VerifiedEvent> verified;
    for (auto& [id, event] : checked) {
      if (event) {
        verified.push_back(std::move(*event));
      } else {
        invalid->Increment();
        log::info("federation: dropped {} from {}: {}", id, work->origin.str(), event.error().message);
        work->results[id] = failure(event.error().message);
      }
    }
    co_return verified;
  }

  // Events that the room can't be brought to take are missing something, as far as is known: they are staged, and tried
  // again one by one.
  Task<std::vector<ReceiveOutcome>> receive_or_set_aside(ServerName origin, RoomId room,
                                                         std::vector<VerifiedEvent> events) {
    try {
      co_return co_await services.rooms.receive(origin, room, events);
    } catch (const std::exception& error) {
      if (db::may_pass(error)) throw;
      failed->Increment(static_cast<double>(events.size()));
      log::error("federation: {} events from {} in {} are set aside: {}", events.size(), origin.str(), room.str(),
                 error.what());
    }
    ReceiveOutcome later;
    later.result = Received::missing;
    co_return std::vector<ReceiveOutcome>(events.size(), later);
  }

  Task<RoomInfoPtr> find_room(std::string text) {
    auto id = RoomId::parse(text);
    if (!id) co_return nullptr;
    auto room = co_await services.reader.room(*id);
    if (room && room->resident) co_return room;
    // The server that is letting us in may be faster than its own answer.
    const bool joined = co_await services.rooms.wait_for_join(*id);
    if (!joined) co_return room;
    co_return co_await services.reader.room(*id);
  }

  // What the sender is told of one; what waits for missing events is kept.
  Task<boost::json::object> settle(ServerName origin, VerifiedEvent event, ReceiveOutcome outcome) {
    counters[outcome.result]->Increment();
    if (outcome.result == Received::refused) co_return failure(outcome.reason);
    if (outcome.result != Received::missing) co_return boost::json::object();
    const bool staged = co_await services.gaps.stage(origin, event.event());
    if (!staged) co_return failure("Too many events of this room wait for events that are missing.");
    co_return boost::json::object();
  }

  Services services;
  std::unordered_map<std::string, RememberedPtr> remembered;
  std::deque<std::string> order;
  std::size_t remembered_bytes = 0;
  std::map<Received, prometheus::Counter*> counters;
  prometheus::Counter* invalid = nullptr;
  prometheus::Counter* failed = nullptr;
};

Intake::Intake(Services services) : impl_(std::make_unique<Impl>(services)) {}
Intake::~Intake() = default;

Task<Result<std::string>> Intake::receive(ServerName origin, std::string transaction_id, boost::json::object body) {
  return impl_->receive(std::move(origin), std::move(transaction_id), std::move(body));
}

}  // namespace causeway::federation
