// An event with its place in this server: what its row holds.
#pragma once

#include <algorithm>
#include <memory>
#include <optional>
#include <vector>

#include "homeserver/events/state_map.hpp"
#include "schema/db/tables/enums.hpp"
#include "schema/events/event.hpp"

namespace causeway {

// An event as stored: what its row holds, with the event itself. Immutable and shared; a redaction makes a new one.
struct StoredEvent {
  EventNid nid{};
  RoomNid room{};
  UserNid sender{};
  std::optional<StateKeyNid> key;  // state events
  std::optional<OrderKey> order;   // none: outlier. Position 0 until committed.
  StateRef before;                 // the state before it; meaningless for outliers
  std::optional<StateRef> after;   // where it differs from `before`
  db::EventFlags flags = db::EventFlags::none;
  std::vector<EventNid> auth;  // state events only
  // Where it cites an event that was numbered or raised later; else 0.
  std::int64_t raised_order = 0;
  EventPtr event;

  // Greater than that of each event it cites: what state resolution walks a room's auth events by. Usually its number;
  // what was known before anything that it cites (an invite to a room that this server was not in) keeps its number.
  std::int64_t auth_order() const { return std::max(to_int(nid), raised_order); }
  // Of a state event that has its number.
  void cite(const StoredEvent& cited) {
    auth.push_back(cited.nid);
    if (cited.auth_order() >= auth_order()) raised_order = cited.auth_order() + 1;
  }
  StateRef state_after() const { return after.value_or(before); }
  bool has(db::EventFlags flag) const { return (flags & flag) != db::EventFlags::none; }
  // Neither is state, nor proves anything of what cites it.
  bool counts() const { return !has(db::EventFlags::rejected | db::EventFlags::unjudged); }
  // To clients; servers are told of the rest too.
  bool is_shown() const {
    return !has(db::EventFlags::rejected | db::EventFlags::soft_failed | db::EventFlags::withheld);
  }
  bool is_live() const { return order && order->sub == 0; }
  StreamPosition position() const { return is_live() ? order->anchor : 0; }
};
using StoredEventPtr = std::shared_ptr<const StoredEvent>;

}  // namespace causeway
