// A lane for each of many things, such as users. A lane is there while somebody is in it or waits for it.
#pragma once

#include <memory>
#include <unordered_map>

#include "homeserver/runtime/lane.hpp"

namespace causeway {

// Reactor thread only. Turns may outlive it.
template <class Key>
class Lanes {
 public:
  // `max_waiting` for each: beyond, M_LIMIT_EXCEEDED (429).
  explicit Lanes(std::size_t max_waiting) : max_waiting_(max_waiting) {}

  // Gives the lane to the next waiter when destroyed.
  class Turn {
   public:
    Turn(std::shared_ptr<Lane> lane, Lane::Turn turn) : lane_(std::move(lane)), turn_(std::move(turn)) {}

   private:
    std::shared_ptr<Lane> lane_;  // outlives the turn
    Lane::Turn turn_;
  };

  Task<Result<Turn>> enter(Key key) {
    auto lane = lane_of(key);
    auto turn = co_await lane->enter();
    if (!turn) co_return turn.error();
    co_return Turn(std::move(lane), std::move(*turn));
  }

 private:
  using Held = std::unordered_map<Key, std::weak_ptr<Lane>>;

  std::shared_ptr<Lane> lane_of(const Key& key) {
    if (auto found = held_->find(key); found != held_->end())
      if (auto lane = found->second.lock()) return lane;
    auto forget = [held = held_, key](Lane* lane) {
      held->erase(key);
      delete lane;
    };
    std::shared_ptr<Lane> lane(new Lane(max_waiting_), std::move(forget));
    (*held_)[key] = lane;
    return lane;
  }

  std::size_t max_waiting_;
  std::shared_ptr<Held> held_ = std::make_shared<Held>();
};

// Of users: who reads what a user has, changes it and writes it back holds the user's turn.
using UserLanes = Lanes<UserNid>;
inline constexpr std::size_t max_waiting_for_user = 64;

}  // namespace causeway
