// What a commit made true: facts, with their positions. Nobody changes them any more.
//
// This is all that those who follow the stream may know of a write: caches, what is derived, sync, federation.
#pragma once

#include <memory>
#include <vector>

#include "homeserver/stream/write_unit.hpp"

namespace causeway {

struct CommittedEvent {
  StoredEventPtr stored;
  Placement placement = Placement::live;
};

struct CommittedState : StateChange {
  StreamPosition position = 0;
};

struct CommittedServer {
  ServerNid server{};
  bool joined = true;
  StreamPosition position = 0;
};

struct CommittedRedaction : RedactionRecord {
  StreamPosition position = 0;
};

// An event is owed to a server that is not in its room.
struct CommittedDebt {
  ServerNid server{};
  StreamPosition position = 0;
};

// What one unit wrote. A fact has the position of the live event that brought it about, if that is of the same unit;
// else, unless it takes one of its own, `after`.
struct Committed {
  StreamPosition after = 0, until = 0;  // the unit took what is between: after < position <= until
  RoomNid room{};                       // 0 when it concerns no single room
  std::optional<NewRoom> new_room;
  std::vector<CommittedEvent> events;
  std::vector<CommittedState> state;
  std::optional<HeadUpdate> head;
  std::vector<MembershipChange> memberships;
  std::vector<CommittedServer> servers;
  std::vector<CommittedRedaction> redactions;
  std::vector<ReplacedEvent> replaced;
  std::vector<CommittedDebt> debts;
  std::optional<TransactionRecord> transaction;
  std::vector<Change> changes;
};
using CommittedPtr = std::shared_ptr<const Committed>;

// Calls `visit` with each change of one kind.
template <class Kind, class Visit>
void for_each_change(const Committed& facts, Visit visit) {
  for (const Change& change : facts.changes)
    if (const auto* of_kind = std::get_if<Kind>(&change)) visit(*of_kind);
}

}  // namespace causeway
