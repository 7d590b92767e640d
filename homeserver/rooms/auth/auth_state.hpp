// A handful of events as the state that another is judged by.
#pragma once

#include <vector>

#include "homeserver/rooms/auth/auth_rules.hpp"

namespace causeway {

class AuthEvents final : public AuthState {
 public:
  // An event without state key is left out; nullptr is ignored.
  void add(EventPtr event) {
    if (event && event->is_state()) events_.push_back(std::move(event));
  }
  const Event* find(std::string_view type, std::string_view state_key) const override {
    for (const auto& event : events_)
      if (event->is_state(type, state_key)) return event.get();
    return nullptr;
  }

 private:
  std::vector<EventPtr> events_;
};

}  // namespace causeway
