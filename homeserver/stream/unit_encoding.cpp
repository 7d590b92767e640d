#include "homeserver/stream/unit_encoding.hpp"

#include <unordered_map>

#include "schema/db/tables/room_writes.hpp"

namespace causeway {

namespace {

// The positions of one unit, in the order that write_unit.hpp promises. 0: none.
class Layout {
 public:
  Layout(const WriteUnit& unit, StreamPosition before) : before_(before) {
    StreamPosition next = before;
    const bool are_looked_up = !unit.memberships.empty() || !unit.state.empty() || !unit.redactions.empty();
    for (const NewEvent& event : unit.events) {
      const bool is_live = event.placement == Placement::live;
      events_.push_back(is_live ? ++next : 0);
      if (is_live && are_looked_up) live_.emplace(event.stored->nid, next);
    }
    for (const MembershipChange& change : unit.memberships) {
      const auto event = live_.find(change.event);
      memberships_.push_back(event == live_.end() ? ++next : event->second);
    }
    changes_after_ = next;
    last_ = next + static_cast<StreamPosition>(unit.changes.size());
  }

  StreamPosition before() const { return before_; }
  StreamPosition last() const { return last_; }
  StreamPosition event(std::size_t index) const { return events_[index]; }
  StreamPosition membership(std::size_t index) const { return memberships_[index]; }
  StreamPosition change(std::size_t index) const { return changes_after_ + 1 + static_cast<StreamPosition>(index); }
  // Of what happens with an event: its position or, where it has none, the place of the unit.
  StreamPosition with_event(std::size_t index) const { return events_[index] ? events_[index] : before_; }
  StreamPosition with_event(EventNid event) const {
    const auto found = live_.find(event);
    return found == live_.end() ? before_ : found->second;
  }

 private:
  StreamPosition before_, changes_after_ = 0, last_ = 0;
  std::vector<StreamPosition> events_, memberships_;
  std::unordered_map<EventNid, StreamPosition> live_;
};

class Encoder {
 public:
  db::WriteBatch encode(std::span<const WriteUnitPtr> units) {
    for (const WriteUnitPtr& unit : units) {
      add(*unit);
      if (unit->made_with) add(*unit->made_with);
    }
    // A room's head is written once in a batch, as the last unit left it.
    for (RoomNid room : head_order_) {
      const HeadUpdate& head = *heads_.at(room);
      db::write_head(batch_, room, head.state_version, head.next_line, head.resident, head.extremities);
    }
    return std::move(batch_);
  }

 private:
  void add(const WriteUnit& unit) {
    const Layout layout(unit, batch_.positions);
    batch_.positions = layout.last();
    if (const auto& room = unit.new_room)
      db::add_room(batch_, unit.room, room->room_id, room->version, unit.head && unit.head->resident, room->created_ts);
    for (std::size_t i = 0; i < unit.events.size(); ++i)
      add_event(unit.events[i], layout.event(i));
    if (unit.head && heads_.insert_or_assign(unit.room, &*unit.head).second) head_order_.push_back(unit.room);
    add_state(unit);
    add_members(unit, layout);
    add_changes_of_events(unit);
    if (const auto& transaction = unit.transaction) {
      const std::string_view key(reinterpret_cast<const char*>(transaction->key.data()), transaction->key.size());
      db::add_transaction(batch_, transaction->device, key, transaction->event);
    }
    for (std::size_t i = 0; i < unit.changes.size(); ++i)
      std::visit([&](const auto& change) { db::add(batch_, change, layout.change(i)); }, unit.changes[i]);
  }

  void add_event(const NewEvent& event, StreamPosition position) {
    const StoredEvent& stored = *event.stored;
    db::EventWrite row;
    row.nid = stored.nid;
    row.room = stored.room;
    row.sender = stored.sender;
    row.key = stored.key;
    if (event.placement == Placement::live) row.offset = position;
    if (event.placement == Placement::backfilled) {
      row.anchor = stored.order.value().anchor;
      row.sub = stored.order->sub;
    }
    if (event.placement != Placement::outlier) {
      row.line = stored.before.line;
      row.version = stored.before.version;
      if (stored.after) row.after_line = stored.after->line, row.after_version = stored.after->version;
    }
    row.flags = stored.flags;
    row.id = stored.event->id().to_db();
    row.auth = stored.auth;
    if (stored.raised_order) row.raised_order = stored.raised_order;
    row.json = stored.event->json();
    db::add_event(batch_, row);
  }

  void add_state(const WriteUnit& unit) {
    for (const StateChange& change : unit.state)
      db::change_state(batch_, unit.room, change.line, change.key, change.from_version, change.event);
    for (const NewLine& line : unit.lines) {
      std::optional<std::int32_t> parent_line, parent_version;
      if (line.parent) parent_line = line.parent->line, parent_version = line.parent->version;
      db::add_state_line(batch_, unit.room, line.line, parent_line, parent_version);
    }
  }

  void add_members(const WriteUnit& unit, const Layout& layout) {
    for (std::size_t i = 0; i < unit.memberships.size(); ++i) {
      const MembershipChange& change = unit.memberships[i];
      db::change_membership(batch_, change.user, change.room, change.membership, change.forgotten, change.event,
                            layout.membership(i), change.stripped_state);
    }
    for (const RoomServerChange& change : unit.servers)
      db::change_room_server(batch_, change.server, unit.room, layout.with_event(change.event_index), change.joined);
    for (const auto& [server, index] : unit.outbox_extra)
      db::owe(batch_, server, layout.with_event(index));
  }

  void add_changes_of_events(const WriteUnit& unit) {
    for (const RedactionRecord& record : unit.redactions)
      db::record_redaction(batch_, record.target, record.redaction, record.applied);
    for (const ReplacedEvent& replaced : unit.replaced)
      db::replace_event(batch_, replaced.stored->nid, replaced.stored->flags, replaced.stored->event->json());
    for (const auto& [missing, later] : unit.new_gaps)
      db::add_gap(batch_, unit.room, missing, later);
    for (const EventId& missing : unit.closed_gaps)
      db::close_gap(batch_, unit.room, missing);
    for (const LatePlaces& late : unit.late)
      db::place_late_events(batch_, unit.room, late.before.anchor, late.before.sub, late.events);
    for (const EventId& id : unit.unstaged)
      db::unstage(batch_, id);
  }

  db::WriteBatch batch_;
  std::unordered_map<RoomNid, const HeadUpdate*> heads_;
  std::vector<RoomNid> head_order_;
};

CommittedPtr into_facts(WriteUnit& unit, const Layout& layout) {
  auto facts = std::make_shared<Committed>();
  facts->after = layout.before();
  facts->until = layout.last();
  facts->room = unit.room;
  facts->new_room = std::move(unit.new_room);
  for (std::size_t i = 0; i < unit.events.size(); ++i) {
    const NewEvent& event = unit.events[i];
    if (const StreamPosition position = layout.event(i)) event.stored->order = OrderKey{position, 0};
    facts->events.push_back({event.stored, event.placement});
  }
  for (const StateChange& change : unit.state)
    facts->state.push_back({change, layout.with_event(change.event)});
  facts->head = std::move(unit.head);
  facts->memberships = std::move(unit.memberships);
  for (std::size_t i = 0; i < facts->memberships.size(); ++i)
    facts->memberships[i].position = layout.membership(i);
  for (const RoomServerChange& change : unit.servers)
    facts->servers.push_back({change.server, change.joined, layout.with_event(change.event_index)});
  for (RedactionRecord& record : unit.redactions) {
    const StreamPosition position = layout.with_event(record.redaction);
    facts->redactions.push_back({std::move(record), position});
  }
  facts->replaced = std::move(unit.replaced);
  for (const auto& [server, index] : unit.outbox_extra)
    facts->debts.push_back({server, layout.with_event(index)});
  facts->transaction = std::move(unit.transaction);
  facts->changes = std::move(unit.changes);
  for (std::size_t i = 0; i < facts->changes.size(); ++i)
    std::visit([&](auto& change) { change.position = layout.change(i); }, facts->changes[i]);
  return facts;
}

}  // namespace

db::WriteBatch encode(std::span<const WriteUnitPtr> units) {
  return Encoder().encode(units);
}

std::vector<CommittedPtr> into_facts(std::span<const WriteUnitPtr> units, StreamPosition base) {
  std::vector<CommittedPtr> facts;
  const auto add = [&](WriteUnit& unit) {
    const Layout layout(unit, base);
    base = layout.last();
    facts.push_back(into_facts(unit, layout));
  };
  for (const WriteUnitPtr& unit : units) {
    add(*unit);
    if (unit->made_with) add(*unit->made_with);
  }
  return facts;
}

std::size_t weight_bytes(const WriteUnit& unit) {
  constexpr std::size_t row_bytes = 128;
  std::size_t bytes = row_bytes * (1 + unit.state.size() + unit.memberships.size() + unit.servers.size() +
                                   unit.changes.size() + unit.new_gaps.size() + unit.closed_gaps.size());
  for (const NewEvent& event : unit.events)
    bytes += row_bytes + event.stored->event->json().size();
  for (const ReplacedEvent& replaced : unit.replaced)
    bytes += row_bytes + replaced.stored->event->json().size();
  for (const MembershipChange& change : unit.memberships)
    bytes += change.stripped_state ? change.stripped_state->size() : 0;
  for (const Change& change : unit.changes)
    bytes += std::visit([](const auto& one) { return db::weight_bytes(one); }, change);
  if (unit.made_with) bytes += weight_bytes(*unit.made_with);
  return bytes;
}

}  // namespace causeway
