#include "homeserver/events/event_store.hpp"

#include <gtest/gtest.h>

#include "homeserver/events/interner.hpp"
#include "homeserver/test/support/stored_events.hpp"
#include "homeserver/test/support/writer_kit.hpp"

namespace causeway {
namespace {

using test::run_task;
using test::stored_event;
using test::stored_message;
using test::unit_of;
using test::unit_with_room;

constexpr RoomNid room{1};

class EventStoreTest : public ::testing::Test {
 protected:
  EventStoreTest() : kit(database_url_.url()), database(settings()), store(database, kit.hub.recent()) {
    kit.hub.feed(store);
  }

  db::Settings settings() {
    db::Settings s;
    s.url = database_url_.url();
    return s;
  }
  void commit(const WriteUnitPtr& unit) {
    auto result = kit.commit(unit);
    ASSERT_TRUE(result) << result.error().message;
  }
  // Messages 1 to `last` at the positions of the same numbers.
  void fill(std::int64_t last) {
    std::vector<WriteUnitPtr> units = {unit_with_room(stored_message(1, 1))};
    for (std::int64_t nid = 2; nid <= last; ++nid)
      units.push_back(unit_of(stored_message(nid, 1)));
    for (const auto& result : kit.commit(units))
      ASSERT_TRUE(result);
  }
  static std::vector<std::int64_t> nids(const std::vector<StoredEventPtr>& events) {
    std::vector<std::int64_t> out;
    for (const auto& event : events)
      out.push_back(event ? to_int(event->nid) : 0);
    return out;
  }
  // The same database read by a process that has just started: nothing in memory.
  struct Restarted {
    explicit Restarted(EventStoreTest& test) : database(test.settings()), store(database, hub.recent()) {
      hub.feed(store);
      hub.start_at(test.kit.hub.position());
    }
    asio::io_context reactor;
    StreamHub hub;
    db::Database database;
    EventStore store;
  };

  using Nids = std::vector<std::int64_t>;
  test::TestDatabase database_url_{test::Rows::by_hand};
  test::WriterKit kit;
  db::Database database;
  EventStore store;
};

TEST_F(EventStoreTest, what_was_just_committed_is_read_without_a_query) {
  fill(10);
  const auto before = database.round_trips();
  auto range = run_task(kit.reactor, store.live_range(room, 2, 9, 5));
  EXPECT_EQ(nids(range.events), (Nids{5, 6, 7, 8, 9}));
  EXPECT_TRUE(range.more_before);
  auto all = run_task(kit.reactor, store.live_range(room, 2, 9, 7));
  EXPECT_EQ(all.events.size(), 7u);
  EXPECT_FALSE(all.more_before);
  EXPECT_EQ(nids(run_task(kit.reactor, store.by_id({EventId::trusted("$3"), EventId::trusted("$7")}))), (Nids{3, 7}));
  EXPECT_EQ(run_task(kit.reactor, store.last_at(room, 4))->nid, EventNid{4});
  EXPECT_EQ(database.round_trips(), before);
}

TEST_F(EventStoreTest, the_same_comes_from_the_database_after_a_restart) {
  fill(10);
  Restarted after(*this);
  auto range = run_task(after.reactor, after.store.live_range(room, 2, 9, 5));
  EXPECT_EQ(nids(range.events), (Nids{5, 6, 7, 8, 9}));
  EXPECT_TRUE(range.more_before);
  EXPECT_FALSE(run_task(after.reactor, after.store.live_range(room, 2, 9, 7)).more_before);
  EXPECT_EQ(run_task(after.reactor, after.store.last_at(room, 4))->nid, EventNid{4});
  EXPECT_EQ(nids(run_task(after.reactor, after.store.by_nid({EventNid{8}, EventNid{77}, EventNid{2}}))),
            (Nids{8, 0, 2}));
  EXPECT_EQ(run_task(after.reactor, after.store.by_id(EventId::trusted("$nowhere"))), nullptr);
}

TEST_F(EventStoreTest, a_page_follows_the_order_key_past_backfilled_events) {
  fill(3);
  auto backfilled = unit_of(stored_message(50, 1));
  backfilled->events[0].placement = Placement::backfilled;
  backfilled->events[0].stored->order = OrderKey{3, -2};
  auto outlier = unit_of(stored_message(51, 1));
  outlier->events[0].placement = Placement::outlier;
  auto rejected = unit_of(stored_message(52, 1));
  rejected->events[0].stored->flags = db::EventFlags::rejected;
  for (const auto& unit : {backfilled, outlier, rejected})
    commit(unit);
  const OrderKey end{100, 0};
  EXPECT_EQ(nids(run_task(kit.reactor, store.page(room, end, Direction::backward, 3))), (Nids{3, 50, 2}));
  EXPECT_EQ(nids(run_task(kit.reactor, store.page(room, OrderKey{2, 0}, Direction::forward, 9))), (Nids{50, 3}));
  EXPECT_EQ(nids(run_task(kit.reactor, store.live_range(room, 0, 100, 9)).events), (Nids{1, 2, 3}));
}

TEST_F(EventStoreTest, a_redaction_replaces_what_is_cached_in_the_ring_and_at_rest) {
  fill(2);
  auto copy = std::make_shared<StoredEvent>(*run_task(kit.reactor, store.by_nid({EventNid{1}})).front());
  copy->event = redact(*copy->event);
  copy->flags = copy->flags | db::EventFlags::redacted;
  auto redaction = unit_of(stored_message(3, 1));
  redaction->replaced = {{copy}};
  redaction->redactions = {{copy->event->id(), EventNid{3}, true}};
  commit(redaction);
  EXPECT_EQ(run_task(kit.reactor, store.by_nid({EventNid{1}})).front(), copy);
  EXPECT_EQ(run_task(kit.reactor, store.live_range(room, 0, 1, 9)).events.front(), copy);
  Restarted after(*this);
  auto at_rest = run_task(after.reactor, after.store.by_nid({EventNid{1}})).front();
  EXPECT_TRUE(at_rest->has(db::EventFlags::redacted));
  EXPECT_EQ(at_rest->event->json(), copy->event->json());
  EXPECT_EQ(run_task(after.reactor, after.store.redaction_of(EventId::trusted("$1")))->nid, EventNid{3});
  EXPECT_EQ(nids(run_task(after.reactor, after.store.redactions_of({EventId::trusted("$2"), EventId::trusted("$1")}))),
            (Nids{0, 3}));
}

TEST_F(EventStoreTest, u_0000_in_type_and_state_key_comes_back) {
  using namespace std::string_literals;
  Interner interner(database);
  StateKey key;
  key.type = "org.\0example"s;
  key.state_key = "\0"s;
  test::EventSpec spec;
  spec.nid = 1;
  spec.type = key.type;
  spec.state_key = key.state_key;
  spec.key = run_task(kit.reactor, interner.state_key(key));
  commit(unit_with_room(stored_event(spec)));
  Restarted after(*this);
  auto event = run_task(after.reactor, after.store.by_nid({EventNid{1}})).front();
  EXPECT_TRUE(event->event->is_state(key.type, key.state_key));
  EXPECT_EQ(event->key, spec.key);
}

TEST_F(EventStoreTest, an_auth_chain_is_whole_from_the_cache_and_from_the_database) {
  auto state = [](std::int64_t nid, std::vector<std::int64_t> auth) {
    test::EventSpec spec;
    spec.nid = nid;
    spec.key = StateKeyNid{nid};
    spec.auth = std::move(auth);
    return stored_event(spec);
  };
  commit(unit_with_room(state(1, {})));
  for (std::int64_t nid = 2; nid <= 20; ++nid)
    commit(unit_of(state(nid, {1, nid - 1})));
  commit(unit_of(state(30, {1})));
  auto sorted = [](std::vector<std::int64_t> list) {
    std::sort(list.begin(), list.end());
    return list;
  };
  const auto before = database.round_trips();
  auto cached = sorted(nids(run_task(kit.reactor, store.auth_chain({EventNid{19}, EventNid{20}})).value()));
  EXPECT_EQ(database.round_trips(), before);
  EXPECT_EQ(cached.size(), 20u);
  Restarted after(*this);
  EXPECT_EQ(sorted(nids(run_task(after.reactor, after.store.auth_chain({EventNid{19}, EventNid{20}})).value())),
            cached);
  EXPECT_EQ(run_task(after.reactor, after.store.auth_chain({EventNid{1}})).value().front()->auth,
            std::vector<EventNid>{});
}

TEST_F(EventStoreTest, an_auth_chain_beyond_the_limit_is_refused_from_the_cache_and_from_the_database) {
  test::EventSpec spec;
  spec.key = StateKeyNid{1};
  for (spec.nid = 1; spec.nid <= 4; ++spec.nid) {
    commit(spec.nid == 1 ? unit_with_room(stored_event(spec)) : unit_of(stored_event(spec)));
    spec.auth = {spec.nid};
  }
  EventStore bounded(database, kit.hub.recent(), {.cache_bytes = 1 << 20, .chain_events = 3});
  for (int from_cache = 0; from_cache < 2; ++from_cache) {
    EXPECT_EQ(run_task(kit.reactor, bounded.auth_chain({EventNid{3}})).value().size(), 3u);
    EXPECT_EQ(run_task(kit.reactor, bounded.auth_chain({EventNid{4}})).error().code,
              ErrorCode::resource_limit_exceeded);
    (void)run_task(kit.reactor, bounded.by_nid({EventNid{4}}));
  }
}

struct EventStoreRaceTest : EventStoreTest {
  // What is loaded, and cached, by a query that sees the database as it was before this unit, which is published while
  // the query runs.
  StoredEventPtr load_during(const WriteUnitPtr& unit, EventNid nid) {
    StreamHub hub;
    EventStore restarted(database, hub.recent());
    hub.feed(restarted);
    pqxx::connection other(database_url_.url());
    pqxx::work holding(other);
    holding.exec("lock table events in access exclusive mode");
    asio::io_context reactor;
    std::vector<StoredEventPtr> loaded;
    const auto done = [&](std::exception_ptr, std::vector<StoredEventPtr> events) { loaded = std::move(events); };
    std::vector<EventNid> nids(1, nid);
    spawn(reactor, restarted.by_nid(std::move(nids)), done);
    reactor.poll();
    auto facts = std::make_shared<Committed>();
    facts->until = 1;
    for (const NewEvent& event : unit->events)
      facts->events.push_back({event.stored, event.placement});
    facts->replaced = unit->replaced;
    hub.committed({facts});
    holding.abort();
    reactor.run();
    EXPECT_EQ(loaded.size(), 1u);
    std::vector<EventNid> again(1, nid);
    auto cached = run_task(reactor, restarted.by_nid(std::move(again))).front();
    EXPECT_EQ(cached, loaded.front());
    return cached;
  }
};

TEST_F(EventStoreRaceTest, what_is_committed_while_a_query_runs_is_not_put_back_by_its_result) {
  auto outlier = unit_with_room(stored_message(1, 1));
  outlier->events[0].placement = Placement::outlier;
  commit(outlier);
  const auto placed = std::make_shared<StoredEvent>(*outlier->events[0].stored);
  placed->order = OrderKey{1, 0};
  EXPECT_EQ(load_during(unit_of(placed), EventNid{1}), placed);

  const auto redacted = std::make_shared<StoredEvent>(*placed);
  redacted->flags = db::EventFlags::redacted;
  auto redaction = unit_of(stored_message(2, 1));
  redaction->replaced = {{redacted}};
  redaction->events[0].placement = Placement::outlier;
  EXPECT_EQ(load_during(redaction, EventNid{1}), redacted);
}

TEST_F(EventStoreTest, gaps_stay_until_they_are_closed) {
  auto unit = unit_with_room(stored_message(1, 1));
  unit->new_gaps = {{EventId::trusted("$missing"), EventNid{1}}};
  commit(unit);
  auto gaps = run_task(kit.reactor, store.gaps(room, 10));
  ASSERT_EQ(gaps.size(), 1u);
  EXPECT_EQ(gaps[0].missing.str(), "$missing");
  EXPECT_EQ(gaps[0].later->nid, EventNid{1});
  auto closing = unit_of(stored_message(2, 1));
  closing->closed_gaps = {EventId::trusted("$missing")};
  commit(closing);
  EXPECT_TRUE(run_task(kit.reactor, store.gaps(room, 10)).empty());
}

}  // namespace
}  // namespace causeway
