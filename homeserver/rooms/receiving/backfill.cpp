// History from before this server's time in a room, fetched when somebody asks for it.
//
// spec: server-server-api#backfilling-and-retrieving-missing-events

#include <unordered_set>

#include "homeserver/rooms/room_service_impl.hpp"
#include "schema/db/tables/events.hpp"
#include "schema/db/tables/late_events.hpp"
#include "schema/log.hpp"

namespace causeway {

namespace {

constexpr std::size_t max_batch = 100;
constexpr std::size_t max_roots = 5;    // branches that a batch begins with
constexpr std::size_t max_servers = 5;  // asked in turn
// More than this are fetched as one whole state rather than one by one.
constexpr std::size_t max_single_fetches = 100;

using Ids = std::unordered_set<EventId>;

bool is_root(const Event& event, const Ids& batch) {
  return std::ranges::none_of(event.prev_events(), [&](const EventId& prev) { return batch.contains(prev); });
}

Task<std::vector<EventId>> not_here(EventStore& events, std::vector<EventId> ids) {
  const auto here = co_await events.by_id(ids);
  std::vector<EventId> absent;
  for (std::size_t i = 0; i < ids.size(); ++i)
    if (!here[i] || here[i]->has(db::EventFlags::unjudged)) absent.push_back(std::move(ids[i]));
  co_return absent;
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

Task<Result<>> RoomService::Impl::backfill(RoomInfoPtr room, OrderKey before, std::size_t limit) {
  auto find = [nid = room->nid, before](db::Connection& connection) {
    return db::gap_at_or_before(connection, nid, before.anchor, before.sub);
  };
  auto gap = co_await services.database.run(std::move(find));
  if (gap.empty()) co_return Result<>{};
  std::vector<EventNid> later_nid(1, gap.front().later);
  const StoredEventPtr later = (co_await services.events.by_nid(std::move(later_nid))).front();
  if (!later) co_return Result<>{};
  const OrderKey place{gap.front().anchor, gap.front().sub};
  std::vector<EventId> missing;
  for (auto& row : gap)
    missing.push_back(std::move(row.missing));

  const ServerName author = later->event->sender().server_name();
  auto servers = co_await servers_to_ask(services.reader, room->nid, services.self.name, author);
  if (servers.empty()) co_return make_error(ErrorCode::not_found, "No other server is in the room.");
  auto fetched = co_await remote->backfill(room->id, room->version, missing, std::min(limit, max_batch), servers);
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
  co_return co_await append_backfilled(room->id, place, std::move(events), std::move(states));
}

// Of those that build on what is not here; no server is asked about what is known.
Task<RoomService::Impl::RootStates> RoomService::Impl::fetch_root_states(RoomInfoPtr room, std::vector<EventPtr> roots,
                                                                         std::vector<ServerName> servers) {
  RootStates states;
  for (const auto& root : roots) {
    const auto previous = co_await services.events.by_id(root->prev_events());
    if (std::ranges::all_of(previous, [](const auto& event) { return event && event->order; })) continue;
    for (const auto& server : servers) {
      auto state = co_await fetch_state(room, root->id(), server);
      if (!state) continue;
      states.emplace(root->id(), std::move(*state));
      break;
    }
  }
  co_return states;
}

Task<Result<std::vector<EventId>>> RoomService::Impl::fetch_state(RoomInfoPtr room, EventId before, ServerName from) {
  auto ids = co_await remote->state_ids(room->id, before, from);
  if (!ids) co_return ids.error();
  std::vector<EventId> wanted = std::move(ids->auth_chain);
  wanted.insert(wanted.end(), ids->state.begin(), ids->state.end());
  std::ranges::sort(wanted);
  const auto repeated = std::ranges::unique(wanted);
  wanted.erase(repeated.begin(), repeated.end());
  auto missing = co_await not_here(services.events, std::move(wanted));
  if (missing.empty()) co_return std::move(ids->state);
  auto events = co_await fetch_events_of_state(room, std::move(before), std::move(missing), std::move(from));
  if (!events) co_return events.error();
  auto left_out = co_await add_outliers(room->id, room->version, std::move(*events));
  if (!left_out.empty()) log::info("room {}: {} events of a state are left out", room->id.str(), left_out.size());
  co_return std::move(ids->state);
}

Task<Result<std::vector<VerifiedEvent>>> RoomService::Impl::fetch_events_of_state(RoomInfoPtr room, EventId before,
                                                                                  std::vector<EventId> missing,
                                                                                  ServerName from) {
  if (missing.size() <= max_single_fetches)
    co_return co_await remote->events(room->id, room->version, std::move(missing), std::move(from));
  auto whole = co_await remote->state(room->id, room->version, std::move(before), std::move(from));
  if (!whole) co_return whole.error();
  std::vector<VerifiedEvent> events = std::move(whole->state);
  std::ranges::move(whole->auth_chain, std::back_inserter(events));
  co_return events;
}

Task<Result<>> RoomService::Impl::append_backfilled(RoomId room_id, OrderKey later, std::vector<VerifiedEvent> events,
                                                    RootStates states) {
  auto lock = co_await heads.enter(room_id);
  if (!lock) co_return lock.error();
  if (!lock->known()) co_return make_error(ErrorCode::not_found, "There is no such room any more.");
  const bool settled = co_await heads.settle(*lock);
  if (!settled) co_return make_error(ErrorCode::unknown, "The room is busy.");
  RoomHead& head = lock->head();
  auto unit = std::make_shared<WriteUnit>();
  const ForkedState::Services forked_services = services_of_forks();
  ForkedState forked(forked_services, head, *unit);
  std::vector<EventPtr> arriving;
  for (const auto& event : events)
    arriving.push_back(event.event());
  const auto known = co_await named_by(arriving);
  const auto redactions = co_await waiting_redactions(std::move(arriving));
  KnownEvents placed;
  std::vector<NewEventPtr> in_order;
  bool left_out = false;
  for (const auto& event : events) {
    const auto here = known.find(event.event()->id());
    if (here != known.end() && here->second->order) continue;
    auto stored = co_await place_backfilled(head, *unit, forked, event, states, known, placed, redactions);
    if (!stored) left_out = true;
    if (!stored) continue;
    placed.emplace(stored->event->id(), stored);
    in_order.push_back(std::move(stored));
  }
  auto find = [room = head.nid, later, count = in_order.size()](db::Connection& connection) {
    return db::free_below(connection, room, later.anchor, later.sub, count);
  };
  std::int32_t sub = co_await services.database.run(std::move(find));
  for (auto newest = in_order.rbegin(); newest != in_order.rend(); ++newest)
    (*newest)->order = OrderKey{later.anchor, --sub};
  for (auto& stored : in_order) {
    NewEvent added;
    added.stored = std::move(stored);
    added.placement = Placement::backfilled;
    unit->events.push_back(std::move(added));
  }
  if (unit->events.empty() && left_out)
    co_return make_error(ErrorCode::not_found, "What the events that were fetched build on could not be had.");
  if (unit->events.empty()) co_return Result<>{};
  auto written = co_await heads.commit(std::move(*lock), unit);
  if (written) co_return Result<>{};
  log::warn("room {}: backfill was not stored: {}", room_id.str(), written.error().message);
  co_return written.error();
}

// nullptr: it is here already, or what it builds on is not.
Task<NewEventPtr> RoomService::Impl::place_backfilled(RoomHead& head, WriteUnit& unit, ForkedState& forked,
                                                      const VerifiedEvent& event, const RootStates& states,
                                                      const KnownEvents& known, const KnownEvents& placed,
                                                      const WaitingRedactions& redactions) {
  Inbound inbound = Inbound::of(event);
  auto root = states.find(inbound.event->id());
  if (root != states.end()) inbound.told.push_back({inbound.event->id(), root->second});
  auto around = look_around(head, inbound, known, placed);
  const bool is_create = inbound.event->is_state("m.room.create", "");
  // Where branches meet, one may go on beyond what is fetched at once: the state after those that are here will do.
  if (around.outcome && !lacks_only_prev_events(*around.outcome)) co_return nullptr;
  if (!is_create && inbound.told.empty() && around.prev.empty()) co_return nullptr;
  auto before = co_await find_state_before(head, forked, inbound, around);
  if (!before) co_return nullptr;
  auto stored = co_await stored_form(head, inbound, around);
  stored->before = *before;
  auto judged = co_await judge(head, forked, *stored, around.auth, Against::state_before);
  mark(*stored, around, judged.result);
  co_await apply_waiting_redactions(head, unit, stored, redactions);
  if (stored->key && judged.result != Received::rejected) {
    head.remember_uncommitted(stored);
    stored->after = forked.after(stored->before, *stored->key, stored->nid);
  }
  for (auto& missing : around.missing_prev)
    unit.new_gaps.emplace_back(std::move(missing), stored->nid);
  unit.closed_gaps.push_back(stored->event->id());
  co_return stored;
}

}  // namespace causeway
