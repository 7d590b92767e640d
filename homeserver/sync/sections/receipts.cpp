#include "homeserver/sync/sections/receipts.hpp"

#include <boost/json/serialize.hpp>

#include "schema/json/json.hpp"

namespace causeway {

namespace {

constexpr std::size_t receipt_bytes = 1024;

json::object& object_in(json::object& object, const std::string& key) {
  auto& value = object[key];
  return value.is_object() ? value.get_object() : value.emplace_object();
}

// {event: {type: {user: {ts, thread_id}}}}, one for each thread.
std::map<std::string_view, json::object> by_thread(const std::vector<ReceiptService::Receipt>& receipts) {
  std::map<std::string_view, json::object> threads;
  for (const auto& receipt : receipts) {
    auto& of_event = object_in(threads[receipt.thread_id], receipt.event.str());
    auto& details = object_in(object_in(of_event, receipt.type), receipt.user.str());
    details["ts"] = receipt.ts;
    if (!receipt.thread_id.empty()) details["thread_id"] = receipt.thread_id;
  }
  return threads;
}

}  // namespace

Task<> ReceiptsSection::read(const SyncSpan& span) {
  since_ = span.since_position();
  co_return;
}

Task<> ReceiptsSection::read_rooms(const SyncSpan& span, const std::vector<RoomPart>& rooms) {
  const RoomEventFilter& filter = span.filter->room_ephemeral;
  if (!filter.types.accepts("m.receipt")) co_return;
  std::vector<RoomNid> fresh, known;
  for (const RoomPart& part : rooms) {
    if (part.list != RoomPart::List::join || !filter.rooms.accepts(part.info->id.str())) continue;
    (part.fresh || span.since_was_lost ? fresh : known).push_back(part.info->nid);
  }
  const UserNid user = span.user->nid;
  const StreamPosition until = span.until.position;
  if (!known.empty()) told_ = co_await receipts_.changed(std::move(known), since_, until, user);
  if (!fresh.empty()) told_.merge(co_await receipts_.changed(std::move(fresh), 0, until, user));
  std::size_t count = 0;
  for (const auto& [room, receipts] : told_)
    count += receipts.size();
  co_await budget_.take(count * receipt_bytes);
  for (auto& [room, receipts] : told_)
    std::erase_if(receipts, [&span](const auto& receipt) { return span.user->ignored.contains(receipt.user.str()); });
  std::erase_if(told_, [](const auto& of_room) { return of_room.second.empty(); });
}

void ReceiptsSection::write_room(V3Room& out, RoomNid room) const {
  const auto told = told_.find(room);
  if (told == told_.end()) return;
  for (const auto& [thread, content] : by_thread(told->second))
    out.ephemeral.push_back(R"({"type":"m.receipt","content":)" + boost::json::serialize(content) + '}');
}

}  // namespace causeway
