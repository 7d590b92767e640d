// What replies to /sync take in memory while they are built.
#pragma once

#include <array>
#include <cstddef>
#include <memory>

#include "homeserver/runtime/concurrency.hpp"
#include "schema/async/task.hpp"

namespace causeway {

// Small replies are bounded by who may ask at a time. The larger one becomes, the fewer may be as large: it waits for
// its turn, and beyond the bound it is given up.
class ReplySizes {
 public:
  explicit ReplySizes(std::size_t max_bytes);

 private:
  friend class ReplyBudget;
  struct Tier {
    std::size_t above;
    std::shared_ptr<Gate> gate;
  };
  std::size_t max_bytes_;
  std::array<Tier, 2> tiers_;  // from small to large
};

// One reply's part. Gives its turn back when destroyed.
class ReplyBudget {
 public:
  explicit ReplyBudget(const ReplySizes& sizes) : sizes_(sizes) {}

  // Before or right after so much more is held. False: that is too much.
  Task<bool> take(std::size_t bytes);
  bool exceeded() const { return used_ > sizes_.max_bytes_; }

 private:
  const ReplySizes sizes_;
  std::size_t used_ = 0;
  std::size_t tier_ = 0;  // the next one
  std::array<Gate::Place, 2> places_;
};

}  // namespace causeway
