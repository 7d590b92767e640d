#include "homeserver/rooms/receiving/inbound.hpp"

#include "schema/events/signing.hpp"

namespace causeway {

namespace {

// In rooms of versions 1 and 2 a server may give one ID to many events; the first to come has it.
bool is_same(const StoredEvent& known, const Event& event, const RoomHead& head) {
  if (known.room != head.nid) return false;
  return event.version().event_id != EventIdForm::chosen || reference_hash(*known.event) == reference_hash(event);
}

bool in_timeline(const StoredEvent& event, const RoomHead& head) {
  return event.room == head.nid && event.order.has_value();
}

}  // namespace

Surroundings look_around(const RoomHead& head, const Inbound& inbound, const KnownEvents& known,
                         const KnownEvents& placed) {
  const Event& event = *inbound.event;
  const auto find = [](const KnownEvents& events, const EventId& id) {
    auto found = events.find(id);
    return found == events.end() ? nullptr : found->second;
  };
  Surroundings around;
  around.existing = find(known, event.id());
  if (around.existing && !is_same(*around.existing, event, head)) {
    around.outcome = ReceiveOutcome::of(Received::refused, "There is another event with this ID.");
    return around;
  }
  if (placed.contains(event.id()) || (around.existing && around.existing->order)) {
    around.outcome = ReceiveOutcome::of(Received::duplicate);
    return around;
  }
  ReceiveOutcome missing = ReceiveOutcome::of(Received::missing);
  for (const EventId& id : event.prev_events()) {
    auto prev = find(placed, id);
    if (!prev) prev = find(known, id);
    if (prev && (placed.contains(id) || in_timeline(*prev, head)))
      around.prev.push_back(std::move(prev));
    else
      missing.missing_prev.push_back(id);
  }
  for (const EventId& id : event.auth_events()) {
    auto auth = find(placed, id);
    if (!auth) auth = find(known, id);
    if (auth && !auth->has(db::EventFlags::unjudged))
      around.auth.push_back(std::move(auth));
    else
      missing.missing_auth.push_back(id);
  }
  around.missing_prev = missing.missing_prev;
  const bool untold = std::ranges::any_of(missing.missing_prev, [&](const auto& id) { return !inbound.tells_of(id); });
  if (untold || !missing.missing_auth.empty()) around.outcome = std::move(missing);
  around.at_tip = around.missing_prev.empty() && around.prev.size() == head.extremities.size() &&
                  std::ranges::all_of(head.extremities, [&](const Extremity& extremity) {
                    return std::ranges::any_of(around.prev, [&](const auto& p) { return p->nid == extremity.nid; });
                  });
  return around;
}

bool builds_on_told(const Inbound& inbound, const Surroundings& around) {
  return std::ranges::any_of(around.missing_prev, [&](const auto& id) { return inbound.tells_of(id); });
}

void mark(StoredEvent& stored, const Surroundings& around, Received result) {
  const bool rejected = result == Received::rejected;
  if (rejected && !around.was_accepted())
    stored.flags = stored.flags | db::EventFlags::rejected;
  else if (rejected || result == Received::soft_failed)
    stored.flags = stored.flags | db::EventFlags::soft_failed;
}

}  // namespace causeway
