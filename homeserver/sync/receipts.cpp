#include "homeserver/sync/receipts.hpp"

#include "homeserver/sync/recent_receipts.hpp"
#include "schema/db/tables/account_data.hpp"
#include "schema/db/tables/receipts.hpp"
#include "schema/json/json.hpp"
#include "schema/log.hpp"

namespace causeway {

namespace {

constexpr std::string_view read = "m.read";
constexpr std::string_view read_private = "m.read.private";
constexpr std::string_view fully_read = "m.fully_read";
// Told at once; a client that is new to a room needs no more, and one that is new to many rooms fewer of each.
constexpr std::size_t max_receipts_per_room = 1'000;
constexpr std::size_t min_receipts_per_room = 10;
constexpr std::size_t max_receipts = 50'000;
constexpr int max_relation_hops = 3;  // spec: client-server-api#threaded-read-receipts

// M_INVALID_PARAM unless type and thread are ones that can be set.
Result<> check_marker(const ReceiptService::Marker& marker) {
  if (marker.type != read && marker.type != read_private && marker.type != fully_read)
    return make_error(ErrorCode::invalid_param, "Receipt type must be m.read, m.read.private or m.fully_read");
  if (!marker.thread_id) return {};
  if (marker.type == fully_read) return make_error(ErrorCode::invalid_param, "m.fully_read takes no thread_id");
  if (*marker.thread_id != "main" && !EventId::parse(*marker.thread_id))
    return make_error(ErrorCode::invalid_param, "thread_id must be 'main' or an event ID");
  return {};
}

struct Relation {
  std::string type;
  EventId parent;
};

std::optional<Relation> relation_of(const Event& event) {
  const auto* relates_to = json::find_object(event.content(), "m.relates_to");
  if (!relates_to || event.is_state()) return std::nullopt;
  auto type = json::find_string(*relates_to, "rel_type");
  auto parent = json::find_string(*relates_to, "event_id");
  if (!type || !parent) return std::nullopt;
  auto id = EventId::parse(*parent);
  if (!id) return std::nullopt;
  return Relation{std::string(*type), *id};
}

bool goes_back(const StoredEventPtr& from, const StoredEventPtr& to) {
  return from && to && from->order && to->order && *to->order < *from->order;
}

std::string fully_read_content(const EventId& event) {
  std::string content = R"({"event_id":)";
  json::append_quoted(content, event.str());
  return content + '}';
}

}  // namespace

struct ReceiptService::Impl {
  explicit Impl(Services services) : s(services), recent(services.hub) {}

  // The thread the event is in, or "main". spec: client-server-api#threaded-read-receipts
  Task<std::string> thread_of(StoredEventPtr event) {
    for (int hop = 0; hop <= max_relation_hops && event; ++hop) {
      auto relation = relation_of(*event->event);
      if (!relation) break;
      if (relation->type == "m.thread") co_return relation->parent.str();
      event = co_await s.events.by_id(relation->parent);
    }
    co_return "main";
  }

  Task<Result<>> check_thread(StoredEventPtr event, std::string thread_id) {
    // The root of a thread counts as read both in the main timeline and in its thread.
    if (event->event->id().str() == thread_id) co_return Result<>{};
    const std::string thread = co_await thread_of(event);
    if (thread == thread_id) co_return Result<>{};
    co_return make_error(ErrorCode::invalid_param, "The event is not in the thread that thread_id names");
  }

  // Where the marker stands now; nullptr: nowhere, or at an event that is not here.
  Task<StoredEventPtr> standing_at(UserNid user, RoomNid room, const Marker& marker) {
    const std::string type = marker.type;
    const std::string thread = marker.thread_id.value_or("");
    auto find = [user, room, type, thread](db::Connection& c) -> std::optional<EventId> {
      if (type != fully_read) return db::receipt_event(c, room, user, type, thread);
      const auto text = db::find_account_data(c, user, room, type);
      const auto content = text ? json::parse_object(*text) : Result<json::object>(json::object());
      if (!content) return std::nullopt;
      const auto id = json::find_string(*content, "event_id");
      return id ? std::optional(EventId::trusted(std::string(*id))) : std::nullopt;
    };
    const std::optional<EventId> event = co_await s.database.run(std::move(find));
    if (!event) co_return nullptr;
    co_return co_await s.events.by_id(*event);
  }

  // Puts the marker into the unit, if it may be set and would move forward.
  Task<Result<>> add(WriteUnitPtr unit, UserNid user, UserId user_id, RoomInfoPtr room, Marker marker) {
    if (auto checked = check_marker(marker); !checked) co_return checked;
    const StoredEventPtr event = co_await s.events.by_id(marker.event);
    if (!event || event->room != room->nid)
      co_return make_error(ErrorCode::not_found, "There is no such event in this room");
    if (marker.thread_id) {
      auto fits = co_await check_thread(event, *marker.thread_id);
      if (!fits) co_return fits;
    }
    // NOTSPEC: a device that lags behind must not pull the marker of the others back.
    const StoredEventPtr standing = co_await standing_at(user, room->nid, marker);
    if (goes_back(standing, event)) co_return Result<>{};
    if (marker.type == fully_read) {
      db::AccountDataChange change{user, room->nid, marker.type, fully_read_content(marker.event)};
      unit->changes.emplace_back(std::move(change));
    } else {
      db::ReceiptChange change{
          room->nid,       user, user_id, room->id, marker.type, marker.thread_id.value_or(""), marker.event,
          s.clock.now_ms()};
      unit->changes.emplace_back(std::move(change));
    }
    co_return Result<>{};
  }

  Services s;
  RecentReceipts recent;
};

ReceiptService::ReceiptService(Services services) : impl_(std::make_unique<Impl>(services)) {
  services.hub.add_listener(Stage::caches, [impl = impl_.get()](const std::vector<CommittedPtr>& commits) {
    for (const CommittedPtr& facts : commits)
      impl->recent.append(*facts);
  });
}
ReceiptService::~ReceiptService() = default;

Task<Result<>> ReceiptService::set(UserNid user, UserId user_id, RoomInfoPtr room, std::vector<Marker> markers) {
  const auto membership = co_await impl_->s.reader.membership(user, room->nid);
  if (!membership || membership->membership != db::Membership::join)
    co_return make_error(ErrorCode::forbidden, "You are not in this room");
  auto unit = std::make_shared<WriteUnit>();
  for (auto& marker : markers) {
    auto added = co_await impl_->add(unit, user, user_id, room, std::move(marker));
    if (!added) co_return added;
  }
  if (unit->changes.empty()) co_return Result<>{};
  co_return co_await impl_->s.writer.commit(unit);
}

Task<Result<>> ReceiptService::set(UserNid user, UserId user_id, RoomInfoPtr room, std::string type, EventId event,
                                   std::optional<std::string> thread_id) {
  std::vector<Marker> markers(1);
  markers[0].type = std::move(type);
  markers[0].event = std::move(event);
  markers[0].thread_id = std::move(thread_id);
  co_return co_await set(user, std::move(user_id), std::move(room), std::move(markers));
}

// spec: client-server-api#server-behaviour-4: only m.read travels between servers.
Task<> ReceiptService::receive(std::vector<Received> receipts) {
  if (receipts.empty()) co_return;
  std::vector<UserId> users;
  for (const Received& receipt : receipts)
    users.push_back(receipt.user);
  const auto nids = co_await impl_->s.interner.users(std::move(users));
  auto unit = std::make_shared<WriteUnit>();
  for (std::size_t i = 0; i < receipts.size(); ++i) {
    Received& receipt = receipts[i];
    unit->changes.emplace_back(db::ReceiptChange{receipt.room->nid, nids[i], std::move(receipt.user), receipt.room->id,
                                                 std::string(read), receipt.thread_id.value_or(""),
                                                 std::move(receipt.event), receipt.ts, false});
  }
  auto committed = co_await impl_->s.writer.commit(unit);
  if (!committed) log::warn("receipts from another server were lost: {}", committed.error().message);
}

Task<ReceiptService::ByRoom> ReceiptService::changed(std::vector<RoomNid> rooms, StreamPosition since,
                                                     StreamPosition until, UserNid for_user) {
  if (since >= impl_->recent.complete_after()) co_return impl_->recent.changed(rooms, since, until, for_user);
  std::erase_if(rooms, [&](RoomNid room) { return impl_->recent.last_in_room(room) <= since; });
  ByRoom result;
  if (rooms.empty()) co_return result;
  const std::size_t of_each = std::clamp(max_receipts / rooms.size(), min_receipts_per_room, max_receipts_per_room);
  auto load = [rooms = std::move(rooms), since, until, for_user, of_each](db::Connection& c) {
    return db::receipts_changed(c, rooms, since, until, for_user, of_each);
  };
  auto rows = co_await impl_->s.database.run(std::move(load));
  for (auto& row : rows) {
    Receipt& receipt = result[row.room].emplace_back();
    receipt.user = std::move(row.user);
    receipt.type = std::move(row.receipt_type);
    receipt.thread_id = std::move(row.thread_id);
    receipt.event = std::move(row.event_id);
    receipt.ts = row.ts;
    receipt.position = row.position;
  }
  co_return result;
}

StreamPosition ReceiptService::last_in_room(RoomNid room) const {
  return impl_->recent.last_in_room(room);
}

}  // namespace causeway
