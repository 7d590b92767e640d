#include "homeserver/rooms/head/redactions.hpp"

#include "schema/db/tables/events.hpp"

namespace causeway {

namespace {

constexpr std::size_t max_waiting_redactions = 1'000;  // of all events of one batch

bool same_server(const UserId& a, const UserId& b) {
  return a.server() == b.server();
}

// A redaction whose time has come.
ReplacedEvent shown_copy(const StoredEvent& redaction) {
  auto copy = std::make_shared<StoredEvent>(redaction);
  copy->flags =
      static_cast<db::EventFlags>(static_cast<int>(redaction.flags) & ~static_cast<int>(db::EventFlags::withheld));
  ReplacedEvent replaced;
  replaced.stored = std::move(copy);
  return replaced;
}

ReplacedEvent redacted_copy(const StoredEvent& target) {
  auto copy = std::make_shared<StoredEvent>(target);
  copy->event = redact(*target.event);
  copy->flags = target.flags | db::EventFlags::redacted;
  ReplacedEvent replaced;
  replaced.stored = std::move(copy);
  return replaced;
}

}  // namespace

// What the Client-Server API lets a local user do is narrower than what servers apply of each other. An event that is
// not here may be elsewhere, so whoever may redact anything may redact it: the redaction is sent, and waits for it.
// spec: client-server-api#put_matrixclientv3roomsroomidredacteventidtxnid
Task<Result<>> Redactions::may_send(RoomHead& head, UserId sender, EventId target) {
  const auto event = co_await events_.by_id(std::move(target));
  auto levels = co_await power_levels(heads_, head);
  const bool here = event && event->room == head.nid;
  const bool may_redact_all = levels->user(sender) >= levels->redact();
  if (here ? may_redact_all || event->event->sender() == sender : may_redact_all && !event) co_return Result<>{};
  if (!here) co_return make_error(ErrorCode::not_found, "There is no such event to redact.");
  co_return make_error(ErrorCode::forbidden, "You may not redact other users' events in this room.");
}

Task<RoomPowerLevels> Redactions::levels_cited(RoomHead& head, std::vector<StoredEventPtr> auth_events) {
  StateKey create_key("m.room.create", "");
  auto create = co_await heads_.holder(head, std::move(create_key));
  EventPtr levels;
  for (const auto& event : auth_events)
    if (event && event->event->is_state("m.room.power_levels", "")) levels = event->event;
  co_return RoomPowerLevels(std::move(levels), create ? create->event : nullptr);
}

namespace {

// By the levels that the redaction itself cites, so that every server comes to the same end.
bool applies(const Event& redaction, const RoomPowerLevels& levels, const StoredEvent& target, RoomNid room) {
  if (target.room != room) return false;
  if (redaction.version().redactions_are_authorised) return true;  // by rule 11
  return same_server(redaction.sender(), target.event->sender()) ||
         levels->user(redaction.sender()) >= levels->redact();
}

}  // namespace

Task<> Redactions::apply(RoomHead& head, WriteUnit& unit, NewEventPtr redaction) {
  auto levels = co_await power_levels(heads_, head);
  co_await apply_by(std::move(levels), head, unit, std::move(redaction));
}

Task<> Redactions::apply(RoomHead& head, WriteUnit& unit, NewEventPtr redaction,
                         std::vector<StoredEventPtr> auth_events) {
  auto levels = co_await levels_cited(head, std::move(auth_events));
  co_await apply_by(std::move(levels), head, unit, std::move(redaction));
}

Task<> Redactions::apply_by(RoomPowerLevels levels, RoomHead& head, WriteUnit& unit, NewEventPtr redaction) {
  RedactionRecord record;
  record.target = *redaction->event->redacts();
  record.redaction = redaction->nid;
  auto target = co_await events_.by_id(record.target);
  record.applied = target && applies(*redaction->event, levels, *target, head.nid);
  // spec: rooms/v3#handling-redactions: not sent to clients until it can be validated and applies. Before version 3 its
  // authorisation is all.
  const bool authorised = redaction->event->version().redactions_are_authorised;
  if (!record.applied && !authorised) redaction->flags = redaction->flags | db::EventFlags::withheld;
  if (record.applied && !target->has(db::EventFlags::redacted)) {
    unit.replaced.push_back(redacted_copy(*target));
    head.replace(unit.replaced.back().stored);
  }
  unit.redactions.push_back(std::move(record));
}

Task<Redactions::Waiting> Redactions::waiting_for(std::vector<EventPtr> arriving) {
  std::vector<EventId> targets;
  for (const auto& event : arriving)
    targets.push_back(event->id());
  auto find = [targets = std::move(targets)](db::Connection& connection) {
    return db::redactions_of(connection, targets, false, max_waiting_redactions);
  };
  auto rows = co_await database_.run(std::move(find));
  Waiting waiting;
  if (rows.empty()) co_return waiting;
  std::vector<EventNid> nids;
  for (const auto& row : rows)
    nids.push_back(row.nid);
  auto redactions = co_await events_.by_nid(std::move(nids));
  for (auto& redaction : redactions)
    if (redaction && !redaction->has(db::EventFlags::rejected) && !redaction->has(db::EventFlags::soft_failed))
      waiting[*redaction->event->redacts()].push_back(std::move(redaction));
  co_return waiting;
}

Task<> Redactions::apply_waiting(RoomHead& head, WriteUnit& unit, NewEventPtr arrived, const Waiting& waiting) {
  const auto of_this = waiting.find(arrived->event->id());
  if (of_this == waiting.end()) co_return;
  for (const auto& redaction : of_this->second) {
    auto auth = co_await events_.by_id(redaction->event->auth_events());
    auto levels = co_await levels_cited(head, std::move(auth));
    if (!applies(*redaction->event, levels, *arrived, head.nid)) continue;
    arrived->event = causeway::redact(*arrived->event);
    arrived->flags = arrived->flags | db::EventFlags::redacted;
    RedactionRecord record;
    record.target = arrived->event->id();
    record.redaction = redaction->nid;
    record.applied = true;
    unit.replaced.push_back(shown_copy(*redaction));
    unit.redactions.push_back(std::move(record));
    co_return;
  }
}

}  // namespace causeway
