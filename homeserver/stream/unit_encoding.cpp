#include "homeserver/stream/unit_encoding.hpp"

#include <unordered_map>

namespace causeway {

namespace {

// The positions of one unit, in the order that write_unit.hpp promises. 0: none.
struct Layout {
  StreamPosition before = 0, last = 0;
  std::vector<StreamPosition> events, memberships, receipts, account_data;

  // Of what happens with an event: its position or, where it has none, the place of the unit.
  StreamPosition of_event(std::size_t index) const { return events[index] ? events[index] : before; }
};

Layout lay_out(const WriteUnit& unit, StreamPosition before) {
  Layout layout;
  layout.before = before;
  StreamPosition next = before;
  std::unordered_map<EventNid, StreamPosition> live;
  for (const NewEvent& event : unit.events) {
    const bool is_live = event.placement == Placement::live;
    layout.events.push_back(is_live ? ++next : 0);
    if (is_live && !unit.memberships.empty()) live.emplace(event.stored->nid, next);
  }
  for (const MembershipChange& change : unit.memberships) {
    auto event = live.find(change.event);
    layout.memberships.push_back(event == live.end() ? ++next : event->second);
  }
  for (std::size_t i = 0; i < unit.receipts.size(); ++i)
    layout.receipts.push_back(++next);
  for (std::size_t i = 0; i < unit.account_data.size(); ++i)
    layout.account_data.push_back(++next);
  layout.last = next;
  return layout;
}

class Encoder {
 public:
  db::WriteBatch encode(std::span<const WriteUnitPtr> units) {
    for (const WriteUnitPtr& unit : units) {
      add(*unit);
      if (unit->made_with) add(*unit->made_with);
    }
    for (RoomNid room : head_order_)
      add_head(room, *heads_.at(room));
    return std::move(batch_);
  }

 private:
  void add(const WriteUnit& unit) {
    const Layout layout = lay_out(unit, batch_.positions);
    batch_.positions = layout.last;
    if (unit.new_room) add_room(unit);
    for (std::size_t i = 0; i < unit.events.size(); ++i)
      add_event(unit.events[i], layout.events[i]);
    if (unit.head && heads_.insert_or_assign(unit.room, &*unit.head).second) head_order_.push_back(unit.room);
    add_state(unit);
    add_memberships(unit, layout);
    add_changes_of_events(unit);
    add_room_facts(unit, layout);
    add_receipts(unit, layout);
    for (std::size_t i = 0; i < unit.account_data.size(); ++i) {
      const AccountDataChange& data = unit.account_data[i];
      batch_.account_data.add(data.user, data.room, data.type, data.content_json, layout.account_data[i]);
    }
    if (const auto& transaction = unit.transaction) {
      const std::string_view key(reinterpret_cast<const char*>(transaction->key.data()), transaction->key.size());
      batch_.transactions.add(transaction->device, key, transaction->event);
    }
  }

  void add_room(const WriteUnit& unit) {
    const NewRoom& room = *unit.new_room;
    batch_.rooms.add(unit.room, room.room_id.str(), room.version, unit.head && unit.head->resident, room.created_ts);
  }

  void add_event(const NewEvent& event, StreamPosition position) {
    const StoredEvent& stored = *event.stored;
    std::optional<StreamPosition> offset, anchor;
    std::optional<std::int32_t> line, version, after_line, after_version;
    std::optional<std::size_t> auth_first, auth_last;
    std::optional<std::int64_t> raised_order;
    if (stored.raised_order) raised_order = stored.raised_order;
    if (event.placement == Placement::live) offset = position;
    if (event.placement == Placement::backfilled) anchor = stored.order.value().anchor;
    const std::int32_t sub = anchor ? stored.order->sub : 0;
    if (event.placement != Placement::outlier) {
      line = stored.before.line;
      version = stored.before.version;
      if (stored.after) after_line = stored.after->line, after_version = stored.after->version;
    }
    if (stored.key) {
      auth_first = batch_.event_auths.size() + 1;
      for (EventNid auth : stored.auth)
        batch_.event_auths.add(auth);
      auth_last = batch_.event_auths.size();
    }
    if (event.placement != Placement::live || stored.key || stored.after) batch_.all_are_messages = false;
    batch_.events.add(stored.nid, stored.room, stored.sender, stored.key, offset, anchor, sub, line, version,
                      after_line, after_version, stored.flags, stored.event->id().to_db(), auth_first, auth_last,
                      raised_order);
    batch_.event_jsons.add(stored.event->json());
  }

  // A room's head is written once in a batch, as the last unit left it.
  void add_head(RoomNid room, const HeadUpdate& head) {
    const std::size_t first = batch_.head_extremities.size() + 1;
    for (EventNid extremity : head.extremities)
      batch_.head_extremities.add(extremity);
    batch_.heads.add(room, head.state_version, head.next_line, head.resident, first, batch_.head_extremities.size());
  }

  void add_state(const WriteUnit& unit) {
    for (const StateChange& change : unit.state)
      batch_.changes.add(unit.room, change.line, change.key, change.from_version, change.event);
    for (const NewLine& line : unit.lines) {
      std::optional<std::int32_t> parent_line, parent_version;
      if (line.parent) parent_line = line.parent->line, parent_version = line.parent->version;
      batch_.lines.add(unit.room, line.line, parent_line, parent_version);
    }
  }

  void add_memberships(const WriteUnit& unit, const Layout& layout) {
    for (std::size_t i = 0; i < unit.memberships.size(); ++i) {
      const MembershipChange& change = unit.memberships[i];
      batch_.memberships.add(change.user, change.room, change.membership, change.forgotten, change.event,
                             layout.memberships[i], change.stripped_state);
    }
    for (const RoomServerChange& change : unit.servers)
      batch_.room_servers.add(change.server, unit.room, layout.of_event(change.event_index), change.joined);
  }

  void add_changes_of_events(const WriteUnit& unit) {
    for (const RedactionRecord& record : unit.redactions)
      batch_.redactions.add(record.target.to_db(), record.redaction, record.applied);
    for (const ReplacedEvent& replaced : unit.replaced)
      batch_.replaced.add(replaced.stored->nid, replaced.stored->flags, replaced.stored->event->json());
    for (const auto& [missing, later] : unit.new_gaps)
      batch_.gaps.add(unit.room, missing.to_db(), later);
    for (const EventId& missing : unit.closed_gaps)
      batch_.closed_gaps.add(unit.room, missing.to_db());
    for (const EventId& id : unit.unstaged)
      batch_.unstaged.add(id.to_db());
  }

  void add_room_facts(const WriteUnit& unit, const Layout& layout) {
    for (const auto& [alias, creator] : unit.new_aliases)
      batch_.aliases.add(alias.str(), unit.room, creator);
    if (unit.published) batch_.published.add(unit.room, *unit.published);
    if (unit.aliases_of) batch_.moved_aliases.add(*unit.aliases_of, unit.room);
    for (const auto& [server, index] : unit.outbox_extra)
      batch_.outbox_extra.add(server, layout.of_event(index));
  }

  void add_receipts(const WriteUnit& unit, const Layout& layout) {
    for (std::size_t i = 0; i < unit.receipts.size(); ++i) {
      const ReceiptChange& receipt = unit.receipts[i];
      batch_.receipts.add(receipt.room, receipt.user, receipt.receipt_type, receipt.thread_id, receipt.event_id.to_db(),
                          receipt.ts, layout.receipts[i]);
    }
  }

  db::WriteBatch batch_;
  std::unordered_map<RoomNid, const HeadUpdate*> heads_;
  std::vector<RoomNid> head_order_;
};

}  // namespace

db::WriteBatch encode(std::span<const WriteUnitPtr> units) {
  return Encoder().encode(units);
}

void add_those_made(std::vector<WriteUnitPtr>& units) {
  for (std::size_t i = 0; i < units.size(); ++i)
    if (WriteUnitPtr made = units[i]->made_with) units.insert(units.begin() + static_cast<std::ptrdiff_t>(++i), made);
}

StreamPosition assign_positions(std::span<const WriteUnitPtr> units, StreamPosition base) {
  for (const WriteUnitPtr& unit : units) {
    Layout layout = lay_out(*unit, base);
    for (std::size_t i = 0; i < unit->events.size(); ++i)
      if (layout.events[i]) unit->events[i].stored->order = OrderKey{layout.events[i], 0};
    unit->membership_positions = std::move(layout.memberships);
    unit->receipt_positions = std::move(layout.receipts);
    unit->account_data_positions = std::move(layout.account_data);
    base = layout.last;
  }
  return base;
}

std::size_t weight_bytes(const WriteUnit& unit) {
  constexpr std::size_t row_bytes = 128;
  std::size_t bytes = row_bytes * (1 + unit.state.size() + unit.memberships.size() + unit.servers.size() +
                                   unit.receipts.size() + unit.new_gaps.size() + unit.closed_gaps.size());
  for (const NewEvent& event : unit.events)
    bytes += row_bytes + event.stored->event->json().size();
  for (const ReplacedEvent& replaced : unit.replaced)
    bytes += row_bytes + replaced.stored->event->json().size();
  for (const MembershipChange& change : unit.memberships)
    bytes += change.stripped_state ? change.stripped_state->size() : 0;
  for (const AccountDataChange& data : unit.account_data)
    bytes += row_bytes + data.content_json.size();
  if (unit.made_with) bytes += weight_bytes(*unit.made_with);
  return bytes;
}

}  // namespace causeway
