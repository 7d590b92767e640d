#pragma once

#include <set>
#include <string>
#include <utility>

namespace causeway {

// Keeps others from doing the same with the same thing (giving an alias to a room, replacing a room) meanwhile.
class NameGuard {
 public:
  NameGuard(std::set<std::string>& under_way, std::string name) : under_way_(under_way), name_(std::move(name)) {
    held_ = under_way_.insert(name_).second;
  }
  NameGuard(const NameGuard&) = delete;
  NameGuard& operator=(const NameGuard&) = delete;
  ~NameGuard() {
    if (held_) under_way_.erase(name_);
  }
  bool held() const { return held_; }

 private:
  std::set<std::string>& under_way_;
  std::string name_;
  bool held_ = false;
};

}  // namespace causeway
