#include "conformance/state_resolution/naive_state_resolution.hpp"

#include <algorithm>
#include <limits>
#include <tuple>

namespace causeway::test {
namespace {

using Ids = std::set<std::string>;

Ids operator&(const Ids& a, const Ids& b) {
  Ids out;
  std::ranges::set_intersection(a, b, std::inserter(out, out.end()));
  return out;
}
Ids operator-(const Ids& a, const Ids& b) {
  Ids out;
  std::ranges::set_difference(a, b, std::inserter(out, out.end()));
  return out;
}
Ids operator|(const Ids& a, const Ids& b) {
  Ids out = a;
  out.insert(b.begin(), b.end());
  return out;
}

class Naive {
 public:
  Naive(const RoomVersion& version, const std::vector<NaiveState>& states, const NaiveGraph& graph)
      : version_(version), states_(states), graph_(graph) {}

  NaiveState resolve() {
    const NaiveState unconflicted = unconflicted_state_map();
    const Ids full = full_conflicted_set();
    // 1
    Ids x;
    for (const auto& id : full)
      if (is_power_event(id)) x = x | Ids{id} | auth_chain_inside(full, id);
    // 2
    const bool from_empty = version_.state_resolution == StateResolution::v2_1;
    NaiveState state = iterative_auth_checks(from_empty ? NaiveState() : unconflicted, reverse_topological(x));
    // 3, 4
    state = iterative_auth_checks(state, mainline_ordering(full - x, state));
    // 5
    for (const auto& [key, id] : unconflicted)
      state[key] = id;
    return state;
  }

 private:
  const NaiveEvent& at(const std::string& id) const { return graph_.at(id); }
  const Event& event(const std::string& id) const { return *at(id).event; }

  bool same_everywhere(const StateKey& key, const std::string& id) const {
    return std::ranges::all_of(states_, [&](const NaiveState& s) { return s.contains(key) && s.at(key) == id; });
  }
  NaiveState unconflicted_state_map() const {
    NaiveState out;
    for (const auto& [key, id] : states_.front())
      if (same_everywhere(key, id)) out[key] = id;
    return out;
  }
  Ids conflicted_state_set() const {
    Ids out;
    for (const NaiveState& state : states_)
      for (const auto& [key, id] : state)
        if (!same_everywhere(key, id)) out.insert(id);
    return out;
  }

  const Ids& auth_chain(const std::string& id) const {
    if (const auto found = chains_.find(id); found != chains_.end()) return found->second;
    Ids chain;
    for (const auto& auth : at(id).auth)
      chain = chain | Ids{auth} | auth_chain(auth);
    return chains_[id] = std::move(chain);
  }
  // NOTSPEC: the algorithm's first step means the auth chain; other servers follow it inside the full conflicted set
  // alone, and order by what is cited directly.
  Ids auth_chain_inside(const Ids& full, const std::string& id) const {
    Ids chain;
    for (Ids next = cited_by(id) & full; !next.empty();) {
      chain = chain | next;
      Ids further;
      for (const auto& auth : next)
        further = further | (cited_by(auth) & full);
      next = further - chain;
    }
    return chain;
  }
  Ids cited_by(const std::string& id) const { return Ids(at(id).auth.begin(), at(id).auth.end()); }

  Ids auth_difference() const {
    Ids all, common;
    for (std::size_t i = 0; i < states_.size(); ++i) {
      Ids chain;
      for (const auto& [key, id] : states_[i])
        chain = chain | auth_chain(id);
      all = all | chain;
      common = i == 0 ? chain : common & chain;
    }
    return all - common;
  }
  // An event is on a path between two others when one has it in its chain and it has the other in its own.
  Ids conflicted_state_subgraph() const {
    const Ids conflicted = conflicted_state_set();
    Ids out = conflicted;
    for (const auto& from : conflicted)
      for (const auto& between : auth_chain(from))
        if (!(auth_chain(between) & conflicted).empty()) out.insert(between);
    return out;
  }
  Ids full_conflicted_set() const {
    const Ids full = conflicted_state_set() | auth_difference();
    return version_.state_resolution == StateResolution::v2_1 ? full | conflicted_state_subgraph() : full;
  }

  bool is_power_event(const std::string& id) const {
    const Event& e = event(id);
    if (!e.is_state()) return false;
    const auto membership = e.membership();
    return e.type() == "m.room.power_levels" || e.type() == "m.room.join_rules" ||
           ((membership == "leave" || membership == "ban") && e.sender().str() != *e.state_key());
  }

  const Event* auth_event_of(const std::string& id, const std::string& type) const {
    for (const auto& auth : at(id).auth)
      if (event(auth).is_state(type, "")) return &event(auth);
    return nullptr;
  }
  const Event* create_of_room() const {
    for (const auto& [id, entry] : graph_)
      if (entry.event->is_state("m.room.create", "")) return entry.event.get();
    return nullptr;
  }
  std::int64_t power_of_sender(const std::string& id) const {
    const Event* create = version_.room_id_is_create_hash ? create_of_room() : auth_event_of(id, "m.room.create");
    return PowerLevels(auth_event_of(id, "m.room.power_levels"), create).user(event(id).sender());
  }

  std::vector<std::string> reverse_topological(Ids left) const {
    auto rank = [this](const std::string& id) {
      return std::tuple(-power_of_sender(id), event(id).origin_server_ts(), id);
    };
    std::vector<std::string> ordered;
    while (!left.empty()) {
      Ids candidates;
      for (const auto& id : left)
        if ((cited_by(id) & left).empty()) candidates.insert(id);
      ordered.push_back(*std::ranges::min_element(candidates, {}, rank));
      left.erase(ordered.back());
    }
    return ordered;
  }

  std::vector<std::string> mainline_ordering(const Ids& ids, const NaiveState& state) const {
    std::vector<std::string> mainline;
    if (const auto levels = state.find({"m.room.power_levels", ""}); levels != state.end())
      for (const Event* e = &event(levels->second); e; e = auth_event_of(e->id().str(), "m.room.power_levels"))
        mainline.push_back(e->id().str());
    auto position = [&](const std::string& id) -> std::int64_t {
      for (const Event* e = auth_event_of(id, "m.room.power_levels"); e;
           e = auth_event_of(e->id().str(), "m.room.power_levels")) {
        const auto found = std::ranges::find(mainline, e->id().str());
        if (found != mainline.end()) return found - mainline.begin();
      }
      return std::numeric_limits<std::int64_t>::max();
    };
    std::vector<std::string> ordered(ids.begin(), ids.end());
    std::ranges::sort(ordered, {}, [&](const std::string& id) {
      return std::tuple(-position(id), event(id).origin_server_ts(), id);
    });
    return ordered;
  }

  class Basis : public AuthState {
   public:
    Basis(const Naive& naive, const NaiveState& state, const std::string& judged)
        : naive_(naive), state_(state), judged_(judged) {}
    const Event* find(std::string_view type, std::string_view state_key) const override {
      const auto found = state_.find({std::string(type), std::string(state_key)});
      if (found != state_.end()) return &naive_.event(found->second);
      for (const auto& auth : naive_.at(judged_).auth)
        if (!naive_.at(auth).rejected && naive_.event(auth).is_state(type, state_key)) return &naive_.event(auth);
      if (naive_.version_.room_id_is_create_hash && type == "m.room.create") return naive_.create_of_room();
      return nullptr;
    }

   private:
    const Naive& naive_;
    const NaiveState& state_;
    const std::string& judged_;
  };

  NaiveState iterative_auth_checks(NaiveState state, const std::vector<std::string>& ids) const {
    for (const auto& id : ids) {
      const Event& judged = event(id);
      if (!judged.is_state()) continue;
      if (!check_auth(judged, Basis(*this, state, id))) state[{judged.type(), *judged.state_key()}] = id;
    }
    return state;
  }

  const RoomVersion& version_;
  const std::vector<NaiveState>& states_;
  const NaiveGraph& graph_;
  mutable std::map<std::string, Ids> chains_;
};

}  // namespace

NaiveState resolve_naively(const RoomVersion& version, const std::vector<NaiveState>& states, const NaiveGraph& graph) {
  if (version.state_resolution == StateResolution::v1) return resolve_naively_v1(states, graph);
  return Naive(version, states, graph).resolve();
}

}  // namespace causeway::test
