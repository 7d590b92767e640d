// Measures the room core alone: no server, no database. Figures are the thread's processor time, because others use the
// machine too; ratios are to ed25519 in the same run.
#include <ctime>

#include <cstdio>
#include <unordered_map>

#include "homeserver/rooms/auth/auth_state.hpp"
#include "homeserver/rooms/resolution/state_resolution.hpp"
#include "homeserver/test/support/room_kit.hpp"
#include "schema/events/signing.hpp"

namespace causeway::bench {
namespace {

double processor_us() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e6 + static_cast<double>(now.tv_nsec) / 1e3;
}

void require(bool condition, const char* what) {
  if (condition) return;
  std::fprintf(stderr, "%s\n", what);
  std::exit(1);
}

// The best of several rounds, in microseconds per call.
template <class Work>
double best_us(int rounds, int calls, Work work) {
  double best = 1e18;
  for (int round = 0; round < rounds; ++round) {
    const double begin = processor_us();
    for (int i = 0; i < calls; ++i)
      work();
    best = std::min(best, (processor_us() - begin) / calls);
  }
  return best;
}

void print(const char* name, double value, const char* unit, const char* note = "") {
  std::printf("%-44s %10.2f %s  %s\n", name, value, unit, note);
}

const RoomVersion& version() {
  return *find_room_version("12");
}
EventPtr make(const std::string& id, const test::EventText& text, Timestamp ts = 1) {
  return test::make_event(version(), text, {.id = id, .room_id = test::room_id_of(version()), .ts = ts});
}

constexpr const char* levels_content = R"({"users":{"@mod:b":50},"events":{"m.room.topic":50},"state_default":50})";

void measure_auth_check() {
  AuthEvents state;
  state.add(test::make_create(version()));
  state.add(make("$levels", {"m.room.power_levels", "", "@alice:a", levels_content}));
  state.add(make("$member", {"m.room.member", "@mod:b", "@mod:b", R"({"membership":"join"})"}));
  const EventPtr message = make("$m", {"m.room.message", {}, "@mod:b", R"({"msgtype":"m.text","body":"hello"})"});
  require(!check_auth(*message, state), "the message is refused");
  const double us = best_us(20, 20'000, [&] { (void)check_auth(*message, state); });
  print("auth check of a message", us, "us", "aim < 2");
}

// What every event from another server goes through before it is judged.
void check_pdu(const std::string& text, const std::string& public_key, const ServerName& server) {
  auto pdu = json::parse_object(text).value();
  require(content_hash_matches(pdu), "the hash is wrong");
  const auto parsed = Event::parse_pdu(version(), pdu).value();
  const auto signature = signatures_of(pdu, server).front();
  require(crypto::verify(public_key, parsed.signed_bytes, signature.signature), "the signature is wrong");
}

void measure_event_verification() {
  const ServerName server = ServerName::trusted("b");
  const crypto::SigningKey key = crypto::SigningKey::generate("ed25519:1");
  EventDraft draft;
  draft.version = &version();
  draft.room_id = RoomId::trusted("!" + std::string(43, 'r'));
  draft.sender = UserId::trusted("@mod:b");
  draft.type = "m.room.message";
  draft.content["msgtype"] = "m.text";
  draft.content["body"] = "Would you look at the second paragraph again before it goes out tomorrow?";
  draft.origin_server_ts = 1'700'000'000'000;
  draft.depth = 4711;
  draft.prev_events.push_back(EventId::trusted("$" + std::string(43, 'p')));
  draft.auth_events = {EventId::trusted("$" + std::string(43, 'l')), EventId::trusted("$" + std::string(43, 'm'))};
  const EventPtr event = build_event(draft, server, key).value();
  const std::string text = event->json();
  const std::string bytes = signed_bytes(*event);
  const std::string signature = signatures_of(*event, server).front().signature;
  const std::string public_key(key.public_key());

  const double verify = best_us(10, 500, [&] { require(crypto::verify(public_key, bytes, signature), "verify"); });
  const double all = best_us(10, 500, [&] { check_pdu(text, public_key, server); });
  print("ed25519 verify alone", verify, "us");
  print("event: parse, hash, id, verify", all, "us");
  print("  of that ed25519", 100 * verify / all, "%");
}

// A room of many members with two branches.
class BigRoom : public EventGraph {
 public:
  explicit BigRoom(int members) {
    state_[create_key] = add(create_key, test::make_create(version()), {});
    const EventNid alice = state_[member_key(-1)] = add(member_key(-1), join("@alice:a"), {});
    levels_ = state_[levels_key] =
        add(levels_key, make("$levels", {"m.room.power_levels", "", "@alice:a", levels_content}), {alice});
    for (int i = 0; i < members; ++i) {
      const std::string user = "@user" + std::to_string(i) + ":s" + std::to_string(i % 1000);
      // Parsed only where it is in dispute, as in the server.
      state_[member_key(i)] = add(member_key(i), i < 20 ? join(user) : nullptr, {levels_});
    }
  }

  // Each branch has a topic of its own, and some of the members left.
  StateMapPtr branch(const std::string& name, int first_leaver) {
    StateMap state = state_;
    const EventPtr topic = make("$topic_" + name, {"m.room.topic", "", "@alice:a"}, 5);
    state[topic_key] = add(topic_key, topic, {levels_, state_[member_key(-1)]});
    for (int i = first_leaver; i < first_leaver + 10; ++i) {
      const std::string user = "@user" + std::to_string(i) + ":s" + std::to_string(i % 1000);
      const EventPtr leave = make("$left_" + user, {"m.room.member", user, user, R"({"membership":"leave"})"}, 6);
      const EventNid before = state_[member_key(i)];
      state[member_key(i)] = add(member_key(i), leave, {levels_, before});
    }
    return std::make_shared<const StateMap>(std::move(state));
  }

  const AuthGraph& graph() const { return graph_; }
  std::vector<EventNid> agreed() const { return {state_.at(create_key)}; }
  const GraphEvent* find(EventNid nid) const override {
    const auto found = nodes_.find(nid);
    return found == nodes_.end() ? nullptr : &found->second.graph;
  }

  static constexpr StateKeyNid create_key{1}, levels_key{2};

 private:
  struct Node {
    GraphEvent graph;
    std::vector<EventNid> auth;
  };
  static constexpr StateKeyNid topic_key{3};
  static StateKeyNid member_key(int i) { return StateKeyNid{10 + i}; }
  static EventPtr join(const std::string& user) {
    return make("$join_" + user, {"m.room.member", user, user, R"({"membership":"join"})"}, 2);
  }
  EventNid add(StateKeyNid key, EventPtr event, std::vector<EventNid> auth) {
    const EventNid nid{++last_};
    graph_.add(nid, last_, key, auth);
    if (!event) return nid;
    Node& node = nodes_[nid];
    node.auth = std::move(auth);
    node.graph = {nid, key, std::move(event), node.auth, false};
    return nid;
  }

  std::int64_t last_ = 0;
  StateMap state_;
  AuthGraph graph_;
  std::unordered_map<EventNid, Node> nodes_;
  EventNid levels_{};
};

void measure_resolution(int members) {
  BigRoom room(members);
  const std::vector<StateMapPtr> branches = {room.branch("left", 0), room.branch("right", 10)};
  const auto agreed = room.agreed();
  auto start = [&] { return Resolution(version(), branches, BigRoom::levels_key); };
  Resolution resolution = start();
  const double conflict = best_us(10, 1, [&] { (void)start(); });
  const double plan = best_us(10, 1, [&] { require(resolution.plan(room.graph()).empty(), "the graph is not whole"); });
  StateMap resolved;
  const double resolve = best_us(10, 1, [&] { resolved = resolution.resolve(room.graph(), room, agreed); });
  require(resolved.size() == branches[0]->size(), "the resolved state is not whole");
  std::printf("\na fork of two in a room of %d members, warm\n", members);
  print("  events in dispute", static_cast<double>(resolution.events_to_judge().size()), "");
  print("  compare the states", conflict / 1000, "ms");
  print("  find who takes part", plan / 1000, "ms");
  print("  order, judge, make the state", resolve / 1000, "ms");
  print("  in all", (conflict + plan + resolve) / 1000, "ms", members == 100'000 ? "aim < 20" : "");
}

}  // namespace
}  // namespace causeway::bench

int main() {
  using namespace causeway::bench;
  measure_auth_check();
  measure_event_verification();
  measure_resolution(1'000);
  measure_resolution(100'000);
}
