#include "homeserver/events/event_store.hpp"

#include <deque>
#include <limits>
#include <list>
#include <unordered_map>
#include <unordered_set>

#include "homeserver/events/event_cache.hpp"
#include "homeserver/runtime/bounded_cache.hpp"
#include "schema/db/tables/events.hpp"
#include "schema/matrix/assert.hpp"

namespace causeway {

namespace {

constexpr std::size_t max_known_redaction_bytes = 16 << 20;

// Parses the JSON: for database threads.
StoredEventPtr to_stored(db::EventRow row) {
  auto stored = std::make_shared<StoredEvent>();
  const RoomVersion* version = find_room_version(row.room_version);
  CAUSEWAY_ASSERT(version);
  stored->nid = row.nid;
  stored->room = row.room;
  stored->sender = row.sender;
  stored->key = row.key;
  if (row.anchor) stored->order = OrderKey{*row.anchor, row.sub};
  stored->before = StateRef{row.state_line, row.state_version};
  if (row.after_line && row.after_version) stored->after = StateRef{*row.after_line, *row.after_version};
  stored->flags = row.flags;
  stored->auth = std::move(row.auth);
  stored->raised_order = row.auth_order.value_or(0);
  stored->event = Event::from_stored(*version, std::move(row.id), std::move(row.json));
  return stored;
}

std::vector<StoredEventPtr> to_stored(std::vector<db::EventRow> rows) {
  std::vector<StoredEventPtr> events;
  events.reserve(rows.size());
  for (db::EventRow& row : rows)
    events.push_back(to_stored(std::move(row)));
  return events;
}

// An event that came late is live where it came, and shown in another place.
StoredEventPtr standing_at(StoredEventPtr event, OrderKey place) {
  if (event->order == place) return event;
  auto moved = std::make_shared<StoredEvent>(*event);
  moved->order = place;
  return moved;
}

// What became of events while queries run: a query may still see an event as it was before it was redacted, before an
// outlier got its place, or before it was deleted.
class ChangesMeanwhile {
 public:
  struct Change {
    std::uint64_t number = 0;
    StoredEventPtr event;  // nullptr: deleted
  };

  // A query, from before it is begun until its result is used.
  class Query {
   public:
    explicit Query(ChangesMeanwhile& changes)
        : changes_(changes), place_(changes.under_way_.insert(changes.under_way_.end(), changes.last_)) {}
    ~Query() { changes_.end(place_); }
    Query(const Query&) = delete;
    Query& operator=(const Query&) = delete;
    // The last change since it was begun; nullptr: none.
    const Change* find(EventNid nid) const {
      const auto found = changes_.by_nid_.find(nid);
      return found != changes_.by_nid_.end() && found->second.number > *place_ ? &found->second : nullptr;
    }

   private:
    ChangesMeanwhile& changes_;
    std::list<std::uint64_t>::iterator place_;
  };

  void note(EventNid nid, StoredEventPtr event) {
    if (under_way_.empty()) return;
    by_nid_.insert_or_assign(nid, Change{++last_, std::move(event)});
    in_order_.emplace_back(last_, nid);
  }

 private:
  void end(std::list<std::uint64_t>::iterator query) {
    under_way_.erase(query);
    const std::uint64_t seen_by_all = under_way_.empty() ? last_ : under_way_.front();
    while (!in_order_.empty() && in_order_.front().first <= seen_by_all) {
      const auto [number, nid] = in_order_.front();
      in_order_.pop_front();
      if (const auto found = by_nid_.find(nid); found->second.number == number) by_nid_.erase(found);
    }
  }

  std::uint64_t last_ = 0;
  std::list<std::uint64_t> under_way_;  // the last change before each query, ascending
  std::unordered_map<EventNid, Change> by_nid_;
  std::deque<std::pair<std::uint64_t, EventNid>> in_order_;
};

}  // namespace

struct EventStore::Impl {
  static constexpr std::size_t no_bound = std::numeric_limits<std::size_t>::max();

  Impl(db::Database& d, const RecentEvents& r, Limits l) : database(d), recent(r), limits(l), cache(l.cache_bytes) {}

  // Runs a query for events. What was committed while it ran is newer than what it saw.
  template <class Query>
  Task<std::vector<StoredEventPtr>> load(Query query) {
    const ChangesMeanwhile::Query running(changes);
    auto read = [query = std::move(query)](db::Connection& connection) { return to_stored(query(connection)); };
    auto events = co_await database.run(std::move(read));
    for (StoredEventPtr& event : events) {
      const auto* change = running.find(event->nid);
      if (change && change->event) event = change->event;
      if (!change || change->event) cache.put(event);
    }
    co_return events;
  }

  void forget(const std::vector<EventNid>& nids) {
    for (EventNid nid : nids) {
      cache.erase(nid);
      changes.note(nid, nullptr);
    }
  }

  void keep(const StoredEventPtr& event) {
    cache.put(event);
    changes.note(event->nid, event);
  }

  // The newest shown events of the span, ascending, if the ring can tell.
  std::optional<Range> range_from_ring(RoomNid room, StreamPosition since, StreamPosition until, std::size_t limit,
                                       std::size_t max_bytes = no_bound) const {
    const StreamPosition reach = std::max(since, recent.complete_after());
    Range range;
    std::size_t bytes = 0;
    recent.newest_in_room(room, reach, until, [&](const StoredEventPtr& event) {
      if (!event->is_shown()) return true;
      bytes += event->event->json().size();
      range.more_before = range.events.size() == limit || bytes > max_bytes;
      if (!range.more_before) range.events.push_back(event);
      return !range.more_before;
    });
    if (reach > since && !range.more_before) return std::nullopt;
    std::reverse(range.events.begin(), range.events.end());
    return range;
  }

  // Of events that were read newest first those that the bounds allow, ascending.
  static void cut(Range& range, std::size_t limit, std::size_t max_bytes) {
    std::size_t kept = 0, bytes = 0;
    for (; kept < std::min(limit, range.events.size()); ++kept)
      if ((bytes += range.events[kept]->event->json().size()) > max_bytes) break;
    range.more_before = kept < range.events.size();
    range.events.resize(kept);
    std::reverse(range.events.begin(), range.events.end());
  }

  // The chain if the cache has all of it, and it is no longer than allowed; else false.
  bool chain_from_cache(const std::vector<EventNid>& of, std::vector<StoredEventPtr>& chain) const {
    std::unordered_set<EventNid> seen(of.begin(), of.end());
    std::vector<EventNid> open(seen.begin(), seen.end());
    while (!open.empty()) {
      StoredEventPtr event = cache.find(open.back());
      open.pop_back();
      if (!event || seen.size() > limits.chain_events) return false;
      for (EventNid next : event->auth)
        if (seen.insert(next).second) open.push_back(next);
      chain.push_back(std::move(event));
    }
    return true;
  }

  db::Database& database;
  const RecentEvents& recent;
  const Limits limits;
  EventCache cache;
  ChangesMeanwhile changes;
  BoundedCache<EventId, EventNid> applied_redactions{
      // by target
      max_known_redaction_bytes, [](const EventId& target, EventNid) { return heap_bytes(target.str()); }};
};

EventStore::EventStore(db::Database& database, const RecentEvents& recent) : EventStore(database, recent, Limits{}) {}
EventStore::EventStore(db::Database& database, const RecentEvents& recent, Limits limits)
    : impl_(std::make_unique<Impl>(database, recent, limits)) {}
EventStore::~EventStore() = default;

Task<std::vector<StoredEventPtr>> EventStore::by_nid(std::vector<EventNid> nids) {
  std::vector<StoredEventPtr> events(nids.size());
  std::vector<EventNid> missing;
  for (std::size_t i = 0; i < nids.size(); ++i)
    if (nids[i] != EventNid{} && !(events[i] = impl_->cache.find(nids[i]))) missing.push_back(nids[i]);
  if (missing.empty()) co_return events;
  auto query = [missing](db::Connection& connection) { return db::events_by_nid(connection, missing); };
  auto loaded = co_await impl_->load(std::move(query));
  std::unordered_map<EventNid, StoredEventPtr> found;
  for (StoredEventPtr& event : loaded)
    found.emplace(event->nid, std::move(event));
  for (std::size_t i = 0; i < nids.size(); ++i)
    if (auto at = found.find(nids[i]); !events[i] && at != found.end()) events[i] = at->second;
  co_return events;
}

Task<std::vector<StoredEventPtr>> EventStore::by_id(std::vector<EventId> ids) {
  std::vector<StoredEventPtr> events(ids.size());
  std::vector<EventId> missing;
  for (std::size_t i = 0; i < ids.size(); ++i)
    if (!(events[i] = impl_->cache.find(ids[i]))) missing.push_back(ids[i]);
  if (missing.empty()) co_return events;
  auto query = [missing](db::Connection& connection) { return db::events_by_id(connection, missing); };
  auto loaded = co_await impl_->load(std::move(query));
  std::unordered_map<EventId, StoredEventPtr> found;
  for (StoredEventPtr& event : loaded)
    found.emplace(event->event->id(), event);
  for (std::size_t i = 0; i < ids.size(); ++i)
    if (auto at = found.find(ids[i]); !events[i] && at != found.end()) events[i] = at->second;
  co_return events;
}

Task<StoredEventPtr> EventStore::by_id(EventId id) {
  std::vector<EventId> one(1, std::move(id));
  auto events = co_await by_id(std::move(one));
  co_return events.front();
}

Task<EventStore::Range> EventStore::live_range(RoomNid room, StreamPosition since, StreamPosition until,
                                               std::size_t limit) {
  if (auto range = impl_->range_from_ring(room, since, until, limit)) co_return std::move(*range);
  auto query = [=](db::Connection& connection) { return db::live_events(connection, room, since, until, limit + 1); };
  Range range;
  range.events = co_await impl_->load(std::move(query));
  range.more_before = range.events.size() > limit;
  if (range.more_before) range.events.pop_back();
  std::reverse(range.events.begin(), range.events.end());
  co_return range;
}

// They share what may be read, in bytes of JSON; each may have a little however many they are. A range that is cut for
// that has more before it.
Task<std::vector<EventStore::Range>> EventStore::live_ranges(std::vector<Span> spans, std::size_t limit) {
  constexpr std::size_t max_bytes = 16 << 20, min_bytes_each = 8 << 10;
  constexpr std::size_t rooms_at_once = 256;
  if (spans.empty()) co_return std::vector<Range>();
  const std::size_t max_bytes_each = std::max(max_bytes / spans.size(), min_bytes_each);
  std::vector<Range> ranges(spans.size());
  std::unordered_map<RoomNid, Range*> of_room;
  std::vector<db::TimelineSpan> missing;
  for (std::size_t i = 0; i < spans.size(); ++i) {
    const Span& span = spans[i];
    if (auto range = impl_->range_from_ring(span.room, span.since, span.until, limit, max_bytes_each)) {
      ranges[i] = std::move(*range);
      continue;
    }
    of_room.emplace(span.room, &ranges[i]);
    missing.push_back({span.room, span.since, span.until});
  }
  for (std::size_t first = 0; first < missing.size(); first += rooms_at_once) {
    const auto begin = missing.begin() + static_cast<std::ptrdiff_t>(first);
    const auto end = missing.begin() + static_cast<std::ptrdiff_t>(std::min(first + rooms_at_once, missing.size()));
    auto query = [some = std::vector(begin, end), limit, max_bytes_each](db::Connection& connection) {
      return db::live_events(connection, some, limit + 1, max_bytes_each);
    };
    auto loaded = co_await impl_->load(std::move(query));
    for (StoredEventPtr& event : loaded)
      of_room.at(event->room)->events.push_back(std::move(event));
  }
  for (const auto& [room, range] : of_room)
    impl_->cut(*range, limit, max_bytes_each);
  co_return ranges;
}

// Those that came late are kept as the live events that they are, and shown where they belong.
Task<std::vector<StoredEventPtr>> EventStore::page(RoomNid room, OrderKey from, Direction direction,
                                                   std::size_t limit) {
  auto late = std::make_shared<std::unordered_map<EventNid, OrderKey>>();
  auto query = [=](db::Connection& connection) {
    auto rows = direction == Direction::forward ? db::events_after(connection, room, from.anchor, from.sub, limit)
                                                : db::events_before(connection, room, from.anchor, from.sub, limit);
    for (const db::EventRow& row : rows)
      if (row.late_place) late->emplace(row.nid, OrderKey{row.late_place->first, row.late_place->second});
    return rows;
  };
  auto events = co_await impl_->load(std::move(query));
  for (StoredEventPtr& event : events) {
    const auto place = late->find(event->nid);
    if (place != late->end()) event = standing_at(std::move(event), place->second);
  }
  co_return events;
}

Task<StoredEventPtr> EventStore::last_at(RoomNid room, StreamPosition position) {
  const RecentEvents& recent = impl_->recent;
  StoredEventPtr last;
  recent.newest_in_room(room, recent.complete_after(), position, [&](const StoredEventPtr& event) {
    last = event;
    return false;
  });
  if (last) co_return last;
  auto query = [=](db::Connection& connection) {
    std::vector<db::EventRow> rows;
    if (auto row = db::last_live_event(connection, room, position)) rows.push_back(std::move(*row));
    return rows;
  };
  auto events = co_await impl_->load(std::move(query));
  co_return events.empty() ? nullptr : events.front();
}

Task<Result<std::vector<StoredEventPtr>>> EventStore::auth_chain(std::vector<EventNid> of) {
  std::vector<StoredEventPtr> chain;
  if (impl_->chain_from_cache(of, chain)) co_return chain;
  const std::size_t limit = impl_->limits.chain_events;
  auto too_long = std::make_shared<bool>(false);
  auto query = [of, limit, too_long](db::Connection& connection) {
    auto rows = db::auth_chain(connection, of, limit + 1);
    *too_long = rows.size() > limit;
    if (*too_long) rows.clear();
    return rows;
  };
  chain = co_await impl_->load(std::move(query));
  if (*too_long)
    co_return make_error(ErrorCode::resource_limit_exceeded, "That takes more than " + std::to_string(limit) +
                                                                 " events, which is more than this server gives.");
  co_return chain;
}

Task<std::vector<EventStore::Gap>> EventStore::gaps(RoomNid room, std::size_t limit) {
  auto read = [=](db::Connection& connection) { return db::gaps(connection, room, limit); };
  auto rows = co_await impl_->database.run(std::move(read));
  std::vector<EventNid> nids;
  for (const db::GapRow& row : rows)
    nids.push_back(row.later);
  auto later = co_await by_nid(std::move(nids));
  std::vector<Gap> found(rows.size());
  for (std::size_t i = 0; i < rows.size(); ++i) {
    found[i].missing = std::move(rows[i].missing);
    if (later[i]) found[i].later = standing_at(std::move(later[i]), OrderKey{rows[i].anchor, rows[i].sub});
  }
  co_return found;
}

Task<std::vector<StoredEventPtr>> EventStore::redactions_of(std::vector<EventId> targets) {
  std::vector<EventNid> nids(targets.size());
  std::vector<EventId> unknown;
  for (std::size_t i = 0; i < targets.size(); ++i) {
    if (const EventNid* known = impl_->applied_redactions.find(targets[i]))
      nids[i] = *known;
    else
      unknown.push_back(targets[i]);
  }
  if (!unknown.empty()) {
    auto read = [unknown](db::Connection& connection) { return db::applied_redactions(connection, unknown); };
    auto found = co_await impl_->database.run(std::move(read));
    for (auto& [target, redaction] : found) {
      for (std::size_t i = 0; i < targets.size(); ++i)
        if (targets[i] == target) nids[i] = redaction;
      impl_->applied_redactions.put(std::move(target), redaction);
    }
  }
  co_return co_await by_nid(std::move(nids));
}

void EventStore::keep(const StoredEventPtr& event) {
  impl_->keep(event);
}

void EventStore::note_redaction(const EventId& target, EventNid redaction) {
  impl_->applied_redactions.put(target, redaction);
}

void EventStore::forget(const std::vector<EventNid>& nids) {
  impl_->forget(nids);
}

Task<StoredEventPtr> EventStore::redaction_of(EventId target) {
  std::vector<EventId> one(1, std::move(target));
  auto redactions = co_await redactions_of(std::move(one));
  co_return redactions.front();
}

}  // namespace causeway
