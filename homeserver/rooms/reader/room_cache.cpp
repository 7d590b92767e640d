#include "homeserver/rooms/reader/room_cache.hpp"

#include "schema/db/tables/rooms.hpp"

namespace causeway {

namespace {

constexpr std::size_t max_room_bytes = 24 << 20;
constexpr std::size_t max_room_id_bytes = 24 << 20;

std::shared_ptr<RoomInfo> to_info(const db::RoomRow& row) {
  auto info = std::make_shared<RoomInfo>();
  info->nid = row.nid;
  info->id = row.id;
  info->version = find_room_version(row.version);
  info->state = StateRef{0, row.state_version};
  info->extremities = row.extremities;
  info->last_position = row.last_position;
  info->resident = row.resident;
  info->published = row.published;
  return info;
}

StreamPosition last_live_position(const Committed& facts) {
  StreamPosition last = 0;
  for (const CommittedEvent& event : facts.events)
    last = std::max(last, event.stored->position());
  return last;
}

// What was loaded may be ahead of the hub already; a head never goes back.
void advance(RoomInfo& info, const Committed& facts) {
  for_each_change<db::PublicationChange>(facts, [&](const auto& change) { info.published = change.published; });
  const StreamPosition last = last_live_position(facts);
  if (last != 0 && last < info.last_position) return;
  info.last_position = std::max(info.last_position, last);
  if (!facts.head || facts.head->state_version < info.state.version) return;
  info.state.version = facts.head->state_version;
  info.extremities = facts.head->extremities;
  info.resident = facts.head->resident;
}

}  // namespace

RoomCache::RoomCache(db::Database& database)
    : database_(database),
      rooms_(
          max_room_bytes, [this](RoomNid nid) { return load(nid); },
          [](RoomNid, const RoomInfo& info) {
            return heap_bytes(info.id.str()) + info.extremities.size() * sizeof(EventNid);
          }),
      nids_(
          max_room_id_bytes, [this](RoomId id) { return find_nid(std::move(id)); },
          [](const RoomId& id, RoomNid) { return 2 * heap_bytes(id.str()); }) {}

Task<RoomInfoPtr> RoomCache::room(RoomId id) {
  const auto nid = co_await nids_.get(std::move(id));
  if (!nid) co_return nullptr;
  co_return co_await rooms_.get(*nid);
}

Task<RoomInfoPtr> RoomCache::room(RoomNid nid) {
  return rooms_.get(nid);
}

Task<std::vector<RoomInfoPtr>> RoomCache::rooms(std::vector<RoomNid> nids) {
  auto load_many = [this](std::vector<RoomNid> missing) { return load(std::move(missing)); };
  co_await rooms_.fill(nids, std::move(load_many));
  std::vector<RoomInfoPtr> out;
  out.reserve(nids.size());
  for (RoomNid nid : nids)
    out.push_back(co_await rooms_.get(nid));
  co_return out;
}

void RoomCache::committed(const Committed& facts) {
  if (facts.room == RoomNid{}) return;
  if (facts.new_room) {
    auto info = std::make_shared<RoomInfo>();
    info->nid = facts.room;
    info->id = facts.new_room->room_id;
    info->version = find_room_version(facts.new_room->version);
    rooms_.put(facts.room, std::move(info));
    nids_.put(facts.new_room->room_id, std::make_shared<RoomNid>(facts.room));
  }
  rooms_.change(facts.room, [&facts](RoomInfo& info) { advance(info, facts); });
}

void RoomCache::forget(const RoomId& id, RoomNid room) {
  nids_.drop(id);
  rooms_.drop(room);
}

Task<std::shared_ptr<RoomInfo>> RoomCache::load(RoomNid nid) {
  auto read = [nid](db::Connection& connection) { return db::find_room(connection, nid); };
  const auto row = co_await database_.run(std::move(read));
  co_return row ? to_info(*row) : nullptr;
}

Task<RoomCache::Loaded> RoomCache::load(std::vector<RoomNid> nids) {
  auto read = [nids = std::move(nids)](db::Connection& connection) { return db::find_rooms(connection, nids); };
  const auto rows = co_await database_.run(std::move(read));
  Loaded loaded;
  for (const db::RoomRow& row : rows)
    loaded.emplace_back(row.nid, to_info(row));
  co_return loaded;
}

Task<std::shared_ptr<RoomNid>> RoomCache::find_nid(RoomId id) {
  auto read = [id = std::move(id)](db::Connection& connection) { return db::find_room(connection, id); };
  const auto row = co_await database_.run(std::move(read));
  co_return row ? std::make_shared<RoomNid>(row->nid) : nullptr;
}

}  // namespace causeway
