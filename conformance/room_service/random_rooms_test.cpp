// Random rooms that real room services on PostgreSQL write together, with invites, forks, delays, gaps, late joins,
// restarts and backfill: every state they keep against full snapshots resolved naively from scratch.
#include <gtest/gtest.h>

#include <random>

#include "conformance/state_resolution/seeds.hpp"
#include "conformance/state_resolution/truth.hpp"
#include "homeserver/test/support/rooms_kit.hpp"

namespace causeway::test {
namespace {

using Kind = ChangeMembership::Kind;
using boost::json::object;

struct Server {
  explicit Server(asio::io_context& reactor, const std::string& name)
      : kit(reactor, name), user(kit.user(name.substr(0, 1))) {}
  RoomsKit kit;
  Sender user;
  std::vector<EventPtr> pending;  // sent to it
  EventIds known;                 // of the room's events that it shows
};

// Gives a server its room back: the creator's join on the create event alone. All else it is told.
class SavedRoom final : public DirectRemote {
 public:
  SavedRoom(RoomsKit& self, EventPtr create, EventPtr join)
      : DirectRemote(self), create_(std::move(create)), join_(std::move(join)) {}
  Task<Result<RemoteJoin>> join(MembershipTemplate, std::vector<ServerName> via) override {
    const std::vector<VerifiedEvent> before(1, TestVerifiedEvents::of(create_));
    co_return RemoteJoin{&create_->version(), TestVerifiedEvents::of(join_), before, before, via.front()};
  }

 private:
  EventPtr create_, join_;
};

// Three servers with a user each; rooms of theirs come one after the other.
class RandomServicesTest : public testing::Test {
 protected:
  asio::io_context reactor_;
  std::vector<std::unique_ptr<Server>> servers_;
  std::mt19937 random_;
  RoomId room_;
  std::unique_ptr<Truth> truth_;
  std::vector<EventPtr> events_;

  RandomServicesTest() {
    for (const char* name : {"a.example", "b.example", "c.example"})
      servers_.push_back(std::make_unique<Server>(reactor_, name));
    for (auto& one : servers_)
      for (auto& other : servers_)
        if (one != other) one->kit.remote.add(other->kit);
  }

  std::size_t roll(std::size_t sides) { return random_() % sides; }
  bool in_room(Server& server) {
    auto info = server.kit.room(room_);
    return info && info->resident;
  }

  void begin(unsigned seed, const std::string& version) {
    random_.seed(seed);
    truth_ = std::make_unique<Truth>(*find_room_version(version));
    events_.clear();
    for (auto& server : servers_) {
      server->pending.clear();
      server->known.clear();
    }
    room_ = first().kit.create_public_room(first().user, version);
    publish_new(first());
    join(*servers_[1]);
    act_on_levels(first(), 0);
  }
  Server& first() { return *servers_.front(); }

  // Tells the others of what this server made.
  void publish_new(Server& from) {
    for (const auto& stored : from.kit.timeline(room_)) {
      const EventPtr& event = stored->event;
      if (!from.known.insert(event->id().str()).second || truth_->has(event->id().str())) continue;
      truth_->add(event);
      events_.push_back(event);
      for (auto& other : servers_)
        if (other.get() != &from) other->pending.push_back(event);
    }
  }

  // The invite is here before anything that it cites, and gets its place by backfill or when it comes again.
  void invite(Server& server) {
    if (!in_room(first()) || &server == &first()) return;
    (void)first().kit.change(Kind::invite, first().user, server.user.user, room_);
    publish_new(first());
  }

  // Over the first server; what was before comes by backfill or late.
  void join(Server& server) {
    if (!in_room(first()) || !server.kit.join(server.user, room_, {first().kit.self.name})) return;
    publish_new(first());
    publish_new(server);
  }

  void act_on_levels(Server& server, std::size_t which) {
    auto state = server.kit.state(room_);
    auto held = state.find("m.room.power_levels|");
    if (held == state.end()) return;
    object content = held->second->content();
    object users = content["users"].is_object() ? content["users"].as_object() : object();
    users[servers_[1 + which % 2]->user.user.str()] = static_cast<std::int64_t>(25 * (1 + roll(4)));
    content["users"] = std::move(users);
    (void)server.kit.set_state(server.user, room_, "m.room.power_levels", "", std::move(content));
  }

  void act(Server& server) {
    server.kit.clock.advance(std::chrono::milliseconds(roll(20)));
    const UserId& other = servers_[roll(servers_.size())]->user.user;
    RoomsKit& kit = server.kit;
    switch (roll(11)) {
      case 0:
        (void)kit.change(Kind::ban, server.user, other, room_);
        break;
      case 1:
        (void)kit.change(Kind::kick, server.user, other, room_);
        break;
      case 2:
        (void)kit.change(Kind::unban, server.user, other, room_);
        break;
      case 3:
      case 4:
        act_on_levels(server, roll(2));
        break;
      case 5:
        (void)kit.set_state(server.user, room_, "m.room.join_rules", "",
                            object{{"join_rule", roll(2) ? "invite" : "public"}});
        break;
      case 6:
        (void)kit.send(server.user, room_, "hello");
        break;
      default:
        (void)kit.set_state(server.user, room_, "m.room.topic", roll(2) ? "" : "x",
                            object{{"topic", std::to_string(random_())}});
    }
    publish_new(server);
  }

  void step() {
    Server& server = *servers_[roll(servers_.size())];
    if (!in_room(server))
      roll(2) ? join(server) : invite(server);
    else if (roll(2))
      act(server);
    else
      deliver_one(server);
  }

  void deliver_one(Server& to) {
    if (to.pending.empty()) return;
    const std::size_t which = roll(to.pending.size());
    const EventPtr event = to.pending[which];
    const std::size_t patience = roll(3);
    auto outcome = to.kit.receive(event->sender().server_name(), event);
    if (outcome.result == Received::missing && patience == 0) return;  // it comes again
    to.pending.erase(to.pending.begin() + static_cast<std::ptrdiff_t>(which));
    if (outcome.result == Received::missing) resolve_missing(to, event, patience == 1);
  }

  void resolve_missing(Server& to, const EventPtr& event, bool fetch_events) {
    if (fetch_events) {
      EventIds asked;
      receive_with_past(to, event, asked);
      return;
    }
    Server* from = nullptr;
    for (auto& server : servers_)
      if (server.get() != &to && server->kit.event(event->id()) && server->kit.event(event->id())->order)
        from = server.get();
    if (from) receive_with_state(to, event);
  }
  void receive_with_past(Server& to, const EventPtr& event, EventIds& asked) {
    for (const EventId& prev : event->prev_events()) {
      auto here = to.kit.event(prev);
      if ((!here || !here->order) && asked.insert(prev.str()).second)
        receive_with_past(to, truth_->event(prev.str()), asked);
    }
    (void)to.kit.receive(event->sender().server_name(), event);
  }
  // As federation does it: for each missing parent the IDs of the state before it, then what of that is not here, and
  // the parent; then the event.
  void receive_with_state(Server& to, const EventPtr& event) {
    std::vector<ToldState> told;
    for (const EventId& prev : event->prev_events()) {
      auto here = to.kit.event(prev);
      if (here && here->order) continue;
      Server* from = nullptr;
      for (auto& server : servers_)
        if (server.get() != &to && server->kit.event(prev) && server->kit.event(prev)->order) from = server.get();
      if (!from) return;
      auto ids = to.kit.run(to.kit.remote.state_ids(room_, prev, from->kit.self.name)).value();
      std::vector<EventId> wanted = ids.state;
      wanted.insert(wanted.end(), ids.auth_chain.begin(), ids.auth_chain.end());
      const RoomVersion* version = &event->version();
      auto fetched = to.kit.run(to.kit.remote.events(room_, version, std::move(wanted), from->kit.self.name)).value();
      (void)to.kit.run(to.kit.rooms->add_outliers(room_, version, std::move(fetched)));
      told.push_back({prev, std::move(ids.state), TestVerifiedEvents::of(truth_->event(prev.str()))});
    }
    (void)to.kit.run(to.kit.rooms->receive_with_state(event->sender().server_name(), TestVerifiedEvents::of(event),
                                                      std::move(told)));
  }

  void deliver_all() {
    for (auto& server : servers_)
      while (in_room(*server) && !server->pending.empty())
        deliver_one(*server);
  }

  NaiveState state_at(Server& server, StateRef ref) {
    NaiveState state;
    auto info = server.kit.room(room_);
    for (const auto& held : server.kit.run(server.kit.reader->all_state(info->nid, ref)))
      state[{held->event->type(), *held->event->state_key()}] = held->event->id().str();
    return state;
  }
  EventIds extremities(Server& server) {
    EventIds ids;
    auto nids = server.kit.room(room_)->extremities;
    for (const auto& event : server.kit.run(server.kit.events->by_nid(std::move(nids))))
      ids.insert(event->event->id().str());
    return ids;
  }

  void check(Server& server) {
    if (!in_room(server)) return;
    SCOPED_TRACE(server.kit.self.name.str());
    for (const EventPtr& event : events_) {
      auto stored = server.kit.event(event->id());
      if (!stored || !stored->order) continue;
      SCOPED_TRACE(event->type() + " " + event->id().str());
      const std::string& id = event->id().str();
      ASSERT_EQ(state_at(server, stored->before), truth_->before(id));
      ASSERT_EQ(stored->has(db::EventFlags::rejected), truth_->is_rejected(id));
      ++checked_;
    }
    ASSERT_EQ(state_at(server, server.kit.room(room_)->state), truth_->state_of(extremities(server)));
  }
  void check_all() {
    for (auto& server : servers_)
      if (!HasFatalFailure()) check(*server);
  }

  // Everything from before it came in, page by page.
  void backfill(Server& server) {
    if (!in_room(server)) return;
    for (int page = 0; page < 20; ++page) {
      auto shown = server.kit.timeline(room_);
      if (shown.empty()) return;
      server.kit.run(server.kit.rooms->backfill(server.kit.room(room_), *shown.front()->order, 10));
    }
  }

  // All events in any order to the first server as it was before it had any.
  void import() {
    Server empty(reactor_, "a.example");
    SavedRoom saved(empty.kit, events_[0], events_[1]);
    empty.kit.rooms->set_remote(saved);
    ASSERT_TRUE(empty.kit.join(empty.user, room_, {servers_[1]->kit.self.name}));
    std::vector<EventPtr> left(events_.begin() + 2, events_.end());
    while (!left.empty()) {
      std::shuffle(left.begin(), left.end(), random_);
      const std::size_t before = left.size();
      std::erase_if(left, [&](const EventPtr& event) {
        return empty.kit.receive(event->sender().server_name(), event).result != Received::missing;
      });
      ASSERT_LT(left.size(), before) << "each event names events that came before";
    }
    check(empty);
    empty.kit.restart();
    if (!HasFatalFailure()) check(empty);
    if (!HasFatalFailure()) compare(empty, first());
  }
  // Which events came too late for the current state may differ, what they are built on may not.
  void compare(Server& imported, Server& original) {
    if (!in_room(imported) || !in_room(original)) return;
    for (const std::string& id : extremities(original)) {
      const EventId extremity = EventId::trusted(id);
      ASSERT_EQ(state_at(imported, imported.kit.event(extremity)->state_after()),
                state_at(original, original.kit.event(extremity)->state_after()));
    }
    if (extremities(imported) != extremities(original)) return;
    ASSERT_EQ(state_at(imported, imported.kit.room(room_)->state), state_at(original, original.kit.room(room_)->state));
  }

  std::size_t checked_ = 0;
};

TEST_F(RandomServicesTest, states_kept_equal_full_snapshots_resolved_naively) {
  const auto versions = supported_room_versions();
  const Seeds seeds(static_cast<unsigned>(versions.size()));
  for (unsigned seed = seeds.first; seed < seeds.first + seeds.count && !HasFatalFailure(); ++seed) {
    const std::string version(versions[seed % versions.size()].id);
    SCOPED_TRACE("seed " + std::to_string(seed) + ", room version " + version);
    begin(seed, version);
    for (int i = 0; i < 40; ++i) {
      step();
      if (roll(25) == 0) servers_[roll(3)]->kit.restart();
    }
    deliver_all();
    check_all();
    for (auto& server : servers_)
      if (!HasFatalFailure()) backfill(*server);
    if (!HasFatalFailure()) check_all();
    for (auto& server : servers_)
      server->kit.restart();
    if (!HasFatalFailure()) check_all();
    if (!HasFatalFailure()) import();
  }
  EXPECT_GT(checked_, seeds.count * 30);
}

}  // namespace
}  // namespace causeway::test
