#include "homeserver/sync/sections/account_data.hpp"

#include <boost/json/serialize.hpp>

#include "schema/json/json.hpp"
#include "schema/matrix/account_data.hpp"

namespace causeway {

namespace {

constexpr std::string_view push_rules_type = "m.push_rules";

void append_event(std::string& out, const db::AccountData& data) {
  out += R"({"type":)";
  json::append_quoted(out, data.type);
  out += R"(,"content":)";
  out += data.content_json;
  out += '}';
}

}  // namespace

Task<> AccountDataSection::read(const SyncSpan& span) {
  const StreamPosition since = span.values_since(), until = span.until.position;
  if (!span.initial() && (since == until || span.user->last_account_data <= since)) co_return;
  auto read = [user = span.user->nid, since, until, most = accounts_.settings().max_user_data_bytes](
                  db::Connection& c) { return db::account_data_changed(c, user, since, until, most); };
  auto changed = co_await database_.run(std::move(read));
  std::size_t bytes = 0;
  for (const auto& data : changed)
    bytes += 3 * db::account_data_bytes(data.type, data.content_json);
  co_await budget_.take(bytes);
  add_changed(span, std::move(changed));
  co_await add_push_rules(span);
}

void AccountDataSection::add_changed(const SyncSpan& span, Entries changed) {
  for (auto& data : changed) {
    if (data.room != RoomNid{}) {
      rooms_[data.room].push_back(std::move(data));
      continue;
    }
    has_push_rules_ = has_push_rules_ || data.type == push_rules_type;
    invite_permission_changed_ = invite_permission_changed_ || data.type == invite_permission_config_type;
    if (span.filter->account_data.types.accepts(data.type)) global_.push_back(std::move(data));
  }
}

// spec: client-server-api#push-rules-events: a user has push rules from the beginning.
Task<> AccountDataSection::add_push_rules(const SyncSpan& span) {
  const bool everything = span.initial() || span.since_was_lost;
  if (!everything || has_push_rules_ || !span.filter->account_data.types.accepts(push_rules_type)) co_return;
  const auto rules = co_await accounts_.push_rules(span.user->nid, span.user->id);
  db::AccountData& data = global_.emplace_back();
  data.type = push_rules_type;
  data.content_json = boost::json::serialize(rules);
}

Task<> AccountDataSection::read_rooms(const SyncSpan& span, const std::vector<RoomPart>& rooms) {
  if (!span.initial() && !span.since_was_lost) co_await read_fresh_rooms(span, rooms);
  const RoomEventFilter& filter = span.filter->room_account_data;
  ByRoom told;
  for (const RoomPart& part : rooms) {
    if (!part.has_timeline() || !filter.rooms.accepts(part.info->id.str())) continue;
    const auto found = rooms_.find(part.info->nid);
    if (found == rooms_.end()) continue;
    std::erase_if(found->second, [&filter](const auto& data) { return !filter.types.accepts(data.type); });
    if (!found->second.empty()) told.insert(rooms_.extract(found));
  }
  rooms_ = std::move(told);
}

// A client that enters a room is told what the user had said about it before, on whatever device.
Task<> AccountDataSection::read_fresh_rooms(const SyncSpan& span, const std::vector<RoomPart>& rooms) {
  std::vector<RoomNid> fresh;
  for (const RoomPart& part : rooms)
    if (part.fresh) fresh.push_back(part.info->nid);
  if (fresh.empty()) co_return;
  auto read = [user = span.user->nid, fresh = std::move(fresh), until = span.until.position,
               most = accounts_.settings().max_user_data_bytes](db::Connection& c) {
    return db::account_data_of_rooms(c, user, fresh, until, most);
  };
  auto found = co_await database_.run(std::move(read));
  for (const auto& data : found)
    rooms_.erase(data.room);
  for (auto& data : found)
    rooms_[data.room].push_back(std::move(data));
}

void AccountDataSection::write(std::string& out) const {
  if (global_.empty()) return;
  out += R"(,"account_data":{"events":[)";
  for (const auto& data : global_) {
    if (&data != &global_.front()) out += ',';
    append_event(out, data);
  }
  out += "]}";
}

void AccountDataSection::write_room(V3Room& out, RoomNid room) const {
  const auto told = rooms_.find(room);
  if (told == rooms_.end()) return;
  for (const auto& data : told->second)
    append_event(out.account_data.emplace_back(), data);
}

}  // namespace causeway
