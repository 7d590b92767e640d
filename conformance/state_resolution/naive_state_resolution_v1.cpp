// The resolution of room version 1, pass by pass as its page tells it. spec: rooms/v1#state-resolution
#include "conformance/state_resolution/naive_state_resolution.hpp"
#include "schema/crypto/crypto.hpp"

namespace causeway::test {
namespace {

class NaiveV1 {
 public:
  NaiveV1(const std::vector<NaiveState>& states, const NaiveGraph& graph) : states_(states), graph_(graph) {}

  NaiveState resolve() {
    for (const auto& [key, ids] : candidates())
      if (ids.size() == 1) r_[key] = *ids.begin();
    for (const char* type : {"m.room.power_levels", "m.room.join_rules", "m.room.member"})
      resolve_chains_of(type);
    const NaiveState judged_by = r_;
    for (const auto& [key, ids] : candidates())
      if (!r_.contains(key)) r_[key] = newest_allowed(sorted(ids), judged_by);
    return r_;
  }

 private:
  const Event& event(const std::string& id) const { return *graph_.at(id).event; }

  std::map<StateKey, std::set<std::string>> candidates() const {
    std::map<StateKey, std::set<std::string>> found;
    for (const NaiveState& state : states_)
      for (const auto& [key, id] : state)
        found[key].insert(id);
    return found;
  }
  // By ascending depth, then descending sha1(event_id).
  std::vector<std::string> sorted(const std::set<std::string>& ids) const {
    std::vector<std::string> list(ids.begin(), ids.end());
    std::ranges::sort(list, [this](const std::string& a, const std::string& b) {
      if (event(a).depth() != event(b).depth()) return event(a).depth() < event(b).depth();
      return crypto::sha1(a) > crypto::sha1(b);
    });
    return list;
  }

  // NOTSPEC: "repeat the above process" is done for each member by itself, on the R that the join rules left.
  void resolve_chains_of(const std::string& type) {
    NaiveState chosen;
    for (const auto& [key, ids] : candidates()) {
      if (key.type != type || ids.size() == 1) continue;
      NaiveState r = r_;
      for (const std::string& id : sorted(ids)) {
        if (r.contains(key) && !allowed(id, r)) break;
        r[key] = id;
      }
      chosen[key] = r.at(key);
    }
    for (const auto& [key, id] : chosen)
      r_[key] = id;
  }

  // NOTSPEC: the oldest where none is allowed, as implementations have it.
  std::string newest_allowed(const std::vector<std::string>& oldest_first, const NaiveState& r) const {
    for (auto id = oldest_first.rbegin(); id != oldest_first.rend(); ++id)
      if (allowed(*id, r)) return *id;
    return oldest_first.front();
  }

  class Basis : public AuthState {
   public:
    Basis(const NaiveV1& naive, const NaiveState& state) : naive_(naive), state_(state) {}
    const Event* find(std::string_view type, std::string_view state_key) const override {
      const auto found = state_.find({std::string(type), std::string(state_key)});
      return found == state_.end() ? nullptr : &naive_.event(found->second);
    }

   private:
    const NaiveV1& naive_;
    const NaiveState& state_;
  };
  bool allowed(const std::string& id, const NaiveState& r) const { return !check_auth(event(id), Basis(*this, r)); }

  const std::vector<NaiveState>& states_;
  const NaiveGraph& graph_;
  NaiveState r_;
};

}  // namespace

NaiveState resolve_naively_v1(const std::vector<NaiveState>& states, const NaiveGraph& graph) {
  return NaiveV1(states, graph).resolve();
}

}  // namespace causeway::test
