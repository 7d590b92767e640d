#include "homeserver/rooms/making/event_sender.hpp"

#include <set>

#include "homeserver/rooms/making/state_content.hpp"
#include "schema/json/json.hpp"
#include "schema/log.hpp"

namespace causeway {

namespace {

// That one event may add; each may be asked of another server.
constexpr std::size_t max_new_aliases = 32;

LocalDraft draft_of(SendEvent request) {
  LocalDraft draft;
  draft.sender = std::move(request.sender.user);
  draft.sender_nid = request.sender.nid;
  draft.type = std::move(request.type);
  draft.state_key = std::move(request.state_key);
  draft.content = std::move(request.content);
  draft.redacts = std::move(request.redacts);
  draft.timestamp = request.timestamp;
  return draft;
}

// spec: client-server-api#put_matrixclientv3roomsroomidsendeventtypetxnid: `redacts` in the content is the event's
// target.
Result<> take_redacts(SendEvent& request) {
  if (request.type != "m.room.redaction" || request.state_key) return {};
  if (!request.redacts) {
    auto named = json::optional_string(request.content, "redacts");
    if (!named) return named.error();
    if (!*named) return make_error(ErrorCode::missing_param, "'redacts' must name the event to redact.");
    auto target = EventId::parse(**named);
    if (!target) return target.error();
    request.redacts = std::move(*target);
  }
  request.content.erase("redacts");
  return {};
}

// Every alias an m.room.canonical_alias event lists.
std::vector<std::string> aliases_in(const boost::json::object& content) {
  std::vector<std::string> listed;
  if (auto alias = json::find_string(content, "alias"); alias && !alias->empty()) listed.emplace_back(*alias);
  if (const auto* more = json::find_array(content, "alt_aliases"))
    for (const auto& alias : *more)
      if (alias.is_string()) listed.emplace_back(alias.as_string());
  return listed;
}

}  // namespace

Task<Result<EventId>> EventSender::send(SendEvent request) {
  if (auto taken = take_redacts(request); !taken) co_return taken.error();
  if (!request.transaction_path || request.sender.device == DeviceNid{})
    co_return co_await send_once(std::move(request), std::nullopt);
  TransactionRecord record;
  record.device = request.sender.device;
  record.key = TransactionLog::key_of(*request.transaction_path);
  record.transaction_id = request.transaction_id;
  auto claim = co_await services_.transactions.claim(record.device, record.key);
  if (claim.earlier) co_return *claim.earlier;
  auto result = co_await send_once(std::move(request), record);
  claim.first->finish(result);
  co_return result;
}

Task<Result<EventId>> EventSender::send_once(SendEvent request, std::optional<TransactionRecord> transaction) {
  if (auto checked = co_await check_content(request); !checked) co_return checked.error();
  if (request.type == "m.room.member" && request.state_key)
    co_return co_await services_.memberships.send(std::move(request));
  LocalDraft draft = draft_of(request);
  auto job = [this, draft, transaction](RoomHead& head, WriteUnit& unit) -> Task<Result<EventId>> {
    auto sent = co_await services_.lane.append(head, unit, draft);
    if (sent && transaction && !unit.events.empty()) {
      unit.transaction = transaction;
      unit.transaction->event = unit.events.back().stored->nid;
    }
    co_return sent;
  };
  co_return co_await services_.lane.commit(std::move(request.room), std::move(job));
}

Task<Result<>> EventSender::check_content(const SendEvent& request) {
  if (request.type == "m.room.create")
    co_return make_error(ErrorCode::bad_json, "A room has one m.room.create event, which it is made by.");
  if (!request.state_key) co_return Result<>{};
  auto room = co_await services_.reader.room(request.room);
  if (!room) co_return make_error(ErrorCode::forbidden, "You are not in this room.");
  auto checked = check_state_content(*room->version, request.type, *request.state_key, request.content);
  if (!checked || request.type != "m.room.canonical_alias") co_return checked;
  co_return co_await check_canonical_alias(std::move(room), request);
}

// spec: client-server-api#put_matrixclientv3roomsroomidstateeventtypestatekey: new aliases must be valid and lead here.
Task<Result<>> EventSender::check_canonical_alias(RoomInfoPtr room, const SendEvent& request) {
  StateKey key("m.room.canonical_alias", "");
  auto current = co_await services_.reader.state_event(room->nid, room->state, std::move(key));
  std::set<std::string> known;
  if (current)
    for (auto& alias : aliases_in(current->event->content()))
      known.insert(std::move(alias));
  auto added = aliases_in(request.content);
  std::erase_if(added, [&known](const std::string& alias) { return known.contains(alias); });
  if (added.size() > max_new_aliases)
    co_return make_error(ErrorCode::invalid_param,
                         "No more than " + std::to_string(max_new_aliases) + " aliases can be added at once.");
  for (auto& text : added) {
    auto alias = RoomAlias::parse(text);
    if (!alias) co_return make_error(ErrorCode::invalid_param, "'" + text + "' is not a room alias.");
    auto resolved = co_await services_.aliases.resolve(std::move(*alias));
    if (!resolved || resolved->room_id != request.room)
      co_return make_error(ErrorCode::bad_alias, "The alias '" + text + "' does not point to this room.");
  }
  co_return Result<>{};
}

}  // namespace causeway
