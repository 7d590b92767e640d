#include "homeserver/rooms/receiving/backfiller.hpp"

#include <unordered_set>

#include "schema/db/tables/events.hpp"
#include "schema/db/tables/late_events.hpp"
#include "schema/log.hpp"

namespace causeway {

namespace {

constexpr std::size_t max_batch = 100;
constexpr std::size_t max_roots = 5;    // branches that a batch begins with
constexpr std::size_t max_servers = 5;  // asked in turn

using Ids = std::unordered_set<EventId>;

bool is_root(const Event& event, const Ids& batch) {
  return std::ranges::none_of(event.prev_events(), [&](const EventId& prev) { return batch.contains(prev); });
}

// The server that named what is missing first: it has most likely seen it.
Task<std::vector<ServerName>> servers_to_ask(RoomReader& reader, RoomNid room, ServerName self, ServerName first) {
  auto members = co_await reader.members(room);
  std::vector<ServerName> servers;
  if (first != self && std::ranges::find(members->joined_servers, first) != members->joined_servers.end())
    servers.push_back(first);
  for (const auto& server : members->joined_servers)
    if (server != self && server != first && servers.size() < max_servers) servers.push_back(server);
  co_return servers;
}

bool lacks_only_prev_events(const ReceiveOutcome& outcome) {
  return outcome.result == Received::missing && outcome.missing_auth.empty();
}

}  // namespace

Task<Result<>> Backfiller::backfill(RoomInfoPtr room, OrderKey before, std::size_t limit) {
  auto find = [nid = room->nid, before](db::Connection& connection) {
    return db::gap_at_or_before(connection, nid, before.anchor, before.sub);
  };
  auto gap = co_await services_.database.run(std::move(find));
  if (gap.empty()) co_return Result<>{};
  std::vector<EventNid> later_nid(1, gap.front().later);
  const StoredEventPtr later = (co_await services_.events.by_nid(std::move(later_nid))).front();
  if (!later) co_return Result<>{};
  const OrderKey later_place{gap.front().anchor, gap.front().sub};
  std::vector<EventId> missing;
  for (auto& row : gap)
    missing.push_back(std::move(row.missing));

  const ServerName author = later->event->sender().server_name();
  auto servers = co_await servers_to_ask(services_.reader, room->nid, services_.self.name, author);
  if (servers.empty()) co_return make_error(ErrorCode::not_found, "No other server is in the room.");
  auto fetched =
      co_await services_.remote->backfill(room->id, room->version, missing, std::min(limit, max_batch), servers);
  if (!fetched) {
    log::info("room {}: no backfill: {}", room->id.str(), fetched.error().message);
    co_return fetched.error();
  }
  std::erase_if(*fetched, [&](const auto& event) { return event.event()->room_id() != room->id; });
  auto events = oldest_first(*fetched);
  Ids batch;
  for (const auto& event : events)
    batch.insert(event.event()->id());
  std::vector<EventPtr> roots;
  for (const auto& event : events)
    if (is_root(*event.event(), batch)) roots.push_back(event.event());
  // The oldest branches beyond that stay out, with what builds on nothing else: the gap is then before the others.
  if (roots.size() > max_roots) roots.erase(roots.begin(), roots.end() - max_roots);
  auto states = co_await fetch_root_states(room, std::move(roots), std::move(servers));
  co_return co_await append(room->id, later_place, std::move(events), std::move(states));
}

// Of those that build on what is not here; no server is asked about what is known.
Task<Backfiller::RootStates> Backfiller::fetch_root_states(RoomInfoPtr room, std::vector<EventPtr> roots,
                                                           std::vector<ServerName> servers) {
  RootStates states;
  for (const auto& root : roots) {
    const auto previous = co_await services_.events.by_id(root->prev_events());
    if (std::ranges::all_of(previous, [](const auto& event) { return event && event->order; })) continue;
    for (const auto& server : servers) {
      auto state = co_await services_.states.fetch(room, root->id(), server);
      if (!state) continue;
      states.emplace(root->id(), std::move(*state));
      break;
    }
  }
  co_return states;
}

Task<Result<>> Backfiller::append(RoomId room_id, OrderKey later, std::vector<VerifiedEvent> events,
                                  RootStates states) {
  auto lock = co_await services_.heads.enter(room_id);
  if (!lock) co_return lock.error();
  if (!lock->known()) co_return make_error(ErrorCode::not_found, "There is no such room any more.");
  const bool settled = co_await services_.heads.settle(*lock);
  if (!settled) co_return make_error(ErrorCode::unknown, "The room is busy.");
  Job job(services_.forks, lock->head());
  job.states = std::move(states);
  std::vector<EventPtr> arriving;
  for (const auto& event : events)
    arriving.push_back(event.event());
  job.known = co_await services_.placer.named_by(arriving);
  job.redactions = co_await services_.redactions.waiting_for(std::move(arriving));
  std::vector<NewEventPtr> in_order;
  bool left_out = false;
  for (const auto& event : events) {
    const auto here = job.known.find(event.event()->id());
    if (here != job.known.end() && here->second->order) continue;
    auto stored = co_await place(job, event);
    if (!stored) left_out = true;
    if (!stored) continue;
    job.placed.emplace(stored->event->id(), stored);
    in_order.push_back(std::move(stored));
  }
  auto find = [room = job.head.nid, later, count = in_order.size()](db::Connection& connection) {
    return db::free_below(connection, room, later.anchor, later.sub, count);
  };
  std::int32_t sub = co_await services_.database.run(std::move(find));
  for (auto newest = in_order.rbegin(); newest != in_order.rend(); ++newest)
    (*newest)->order = OrderKey{later.anchor, --sub};
  for (auto& stored : in_order) {
    NewEvent added;
    added.stored = std::move(stored);
    added.placement = Placement::backfilled;
    job.unit->events.push_back(std::move(added));
  }
  if (job.unit->events.empty() && left_out)
    co_return make_error(ErrorCode::not_found, "What the events that were fetched build on could not be had.");
  if (job.unit->events.empty()) co_return Result<>{};
  auto written = co_await services_.heads.commit(std::move(*lock), job.unit);
  if (written) co_return Result<>{};
  log::warn("room {}: backfill was not stored: {}", room_id.str(), written.error().message);
  co_return written.error();
}

// nullptr: it is here already, or what it builds on is not.
Task<NewEventPtr> Backfiller::place(Job& job, const VerifiedEvent& event) {
  Inbound inbound = Inbound::of(event);
  auto root = job.states.find(inbound.event->id());
  if (root != job.states.end()) inbound.told.push_back({inbound.event->id(), root->second});
  auto around = look_around(job.head, inbound, job.known, job.placed);
  const bool is_create = inbound.event->is_state("m.room.create", "");
  // Where branches meet, one may go on beyond what is fetched at once: the state after those that are here will do.
  if (around.outcome && !lacks_only_prev_events(*around.outcome)) co_return nullptr;
  if (!is_create && inbound.told.empty() && around.prev.empty()) co_return nullptr;
  auto before = co_await services_.placer.state_before(job.head, job.forked, inbound, around);
  if (!before) co_return nullptr;
  auto stored = co_await services_.placer.stored_form(job.head, inbound, around);
  stored->before = *before;
  auto judged =
      co_await services_.judge.judge(job.head, job.forked, *stored, around.auth, EventJudge::Against::state_before);
  mark(*stored, around, judged.result);
  co_await services_.redactions.apply_waiting(job.head, *job.unit, stored, job.redactions);
  if (stored->key && judged.result != Received::rejected) {
    job.head.remember_uncommitted(stored);
    stored->after = job.forked.after(stored->before, *stored->key, stored->nid);
  }
  for (auto& missing : around.missing_prev)
    job.unit->new_gaps.emplace_back(std::move(missing), stored->nid);
  job.unit->closed_gaps.push_back(stored->event->id());
  co_return stored;
}

}  // namespace causeway
