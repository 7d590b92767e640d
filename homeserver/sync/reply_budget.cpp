#include "homeserver/sync/reply_budget.hpp"

namespace causeway {

namespace {
constexpr std::size_t medium_bytes = 2 << 20, medium_at_once = 8;
constexpr std::size_t large_bytes = 16 << 20, large_at_once = 2;
}  // namespace

ReplySizes::ReplySizes(std::size_t max_bytes)
    : max_bytes_(max_bytes),
      tiers_{Tier{medium_bytes, std::make_shared<Gate>(medium_at_once)},
             Tier{large_bytes, std::make_shared<Gate>(large_at_once)}} {}

// Who has a turn in a tier waits for one in a higher tier alone, so nobody waits in a circle.
Task<bool> ReplyBudget::take(std::size_t bytes) {
  used_ += bytes;
  while (!exceeded() && tier_ < places_.size() && used_ > sizes_.tiers_[tier_].above) {
    Gate::Place place = co_await sizes_.tiers_[tier_].gate->enter();
    places_[tier_++] = std::move(place);
  }
  co_return !exceeded();
}

}  // namespace causeway
