#include "homeserver/sync/sync_builder.hpp"

#include "schema/db/tables/memberships.hpp"
#include "schema/db/tables/room_timelines.hpp"
#include "schema/json/json.hpp"

namespace causeway {

namespace {

std::string account_data_event(std::string_view type, std::string_view content_json) {
  std::string event = R"({"type":)";
  json::append_quoted(event, type);
  event += R"(,"content":)";
  event += content_json;
  event += '}';
  return event;
}

}  // namespace

SyncBuilder::SyncBuilder(const SyncService::Services& services, SyncMemory memory, const SyncRequest& request,
                         FilterPtr filter, UserIndex::UserPtr user, std::optional<SyncToken> since, bool since_was_lost)
    : s_(services),
      memory_(memory),
      request_(request),
      filter_(std::move(filter)),
      user_(std::move(user)),
      since_(since),
      since_was_lost_(since_was_lost),
      every_room_(!since || request.full_state || since_was_lost),
      typing_is_known_(since && since->epoch == services.typing.epoch()),
      budget_(memory.sizes) {}

Task<Result<std::string>> SyncBuilder::build() {
  co_await choose();
  if (!budget_.exceeded()) co_await load();
  if (budget_.exceeded())
    co_return make_error(ErrorCode::too_large,
                         "Your rooms hold more than this server puts into one reply. Load members lazily, or use a "
                         "filter that asks for less.");
  co_return co_await write();
}

// What is to be told.
Task<> SyncBuilder::choose() {
  co_await fix_now();
  co_await read_account_data();
  co_await choose_rooms();
  for (RoomPart& part : parts_) {
    if (part.section == RoomPart::Section::join) co_await place_join(part);
    if (part.section == RoomPart::Section::leave) co_await place_leave(part);
    co_await slice_.give_way();
  }
  std::erase_if(parts_, [this](const RoomPart& part) { return forgot_what_was_told(part); });
  co_await read_receipts();
  choose_typing();
  co_await read_account_data_of_fresh_rooms();
  add_room_account_data();
  co_await read_timelines();
  if (!budget_.exceeded()) co_await read_whole_states();
}

Task<> SyncBuilder::load() {
  co_await keep_visible();
  co_await keep_what_replays();
  for (RoomPart& part : parts_) {
    co_await choose_state(part);
    co_await slice_.give_way();
  }
  co_await sift_whole_state();
  co_await load_state();
  if (budget_.exceeded()) co_return;
  co_await summarise();
  for (RoomPart& part : parts_) {
    co_await add_lazy_members(part);
    co_await read_stripped_state(part);
    co_await slice_.give_way();
  }
  co_await load_state();
  for (RoomPart& part : parts_)
    append_last_own_event(part);
}

// The position up to which this reply tells everything. A commit can be seen in the database a moment before the hub
// has heard of it; then its position is waited for.
Task<> SyncBuilder::fix_now() {
  constexpr int max_tries = 1000;
  asio::steady_timer moment(co_await asio::this_coro::executor);
  for (int tries = 0; tries < max_tries; ++tries) {
    memberships_ = co_await s_.reader.memberships(user_->nid);
    StreamPosition newest = 0;
    for (const auto& membership : *memberships_)
      newest = std::max(newest, membership.position);
    if (newest <= s_.hub.position()) break;
    moment.expires_after(std::chrono::milliseconds(1));
    co_await expiry(moment);
  }
  until_.position = s_.hub.position();
  until_.epoch = s_.typing.epoch();
  until_.ephemeral = s_.typing.sequence();
  ring_covers_ = since_position() >= s_.hub.recent().complete_after();
  if (initial()) memory_.sent_members.forget(request_.requester.device_nid);
}

Task<> SyncBuilder::read_account_data() {
  if (!initial() && user_->last_account_data <= values_since()) co_return;
  auto read = [user = user_->nid, since = values_since(), until = until_.position,
               most = s_.accounts.settings().max_user_data_bytes](db::Connection& c) {
    return db::account_data_changed(c, user, since, until, most);
  };
  auto changed = co_await s_.database.run(std::move(read));
  std::size_t bytes = 0;
  for (const auto& data : changed)
    bytes += 3 * db::account_data_bytes(data.type, data.content_json);
  co_await budget_.take(bytes);
  bool has_push_rules = false;
  for (auto& data : changed) {
    if (data.room != RoomNid{}) {
      room_account_data_[data.room].push_back(std::move(data));
      continue;
    }
    has_push_rules = has_push_rules || data.type == "m.push_rules";
    invite_permission_changed_ = invite_permission_changed_ || data.type == invite_permission_config_type;
    if (filter_->account_data.types.accepts(data.type))
      global_account_data_.push_back(account_data_event(data.type, data.content_json));
  }
  // spec: client-server-api#push-rules-events: a user has push rules from the beginning.
  if ((initial() || since_was_lost_) && !has_push_rules && filter_->account_data.types.accepts("m.push_rules")) {
    const auto rules = co_await s_.accounts.push_rules(user_->nid, request_.requester.user);
    global_account_data_.push_back(account_data_event("m.push_rules", boost::json::serialize(rules)));
  }
}

Task<> SyncBuilder::choose_rooms() {
  if (typing_is_known_) {
    const auto changed = s_.typing.rooms_changed(since_->ephemeral);
    typing_rooms_.insert(changed.begin(), changed.end());
  }
  for (const auto& membership : *memberships_)
    if (auto part = candidate(membership)) parts_.push_back(std::move(*part));
  co_await add_forgotten_rooms();
  co_await look_up_rooms();
}

// Left and forgotten on one device; another may not know yet that the room was left.
Task<> SyncBuilder::add_forgotten_rooms() {
  if (initial() || user_->last_forgotten <= since_position()) co_return;
  auto read = [user = user_->nid, since = since_position(), until = until_.position](db::Connection& c) {
    return db::forgotten_memberships(c, user, since, until);
  };
  auto found = co_await s_.database.run(std::move(read));
  for (auto& row : found) {
    if (row.membership != db::Membership::leave && row.membership != db::Membership::ban) continue;
    RoomPart& part = parts_.emplace_back();
    part.section = RoomPart::Section::leave;
    part.membership = {row.room, row.membership, row.event, row.position, true, std::move(row.stripped_state)};
  }
}

std::optional<RoomPart> SyncBuilder::candidate(const RoomMembership& membership) const {
  const bool is_new = membership.position > since_position();
  RoomPart part;
  part.membership = membership;
  switch (membership.membership) {
    case db::Membership::join:
      part.section = RoomPart::Section::join;
      if (every_room_ || may_have_news(membership)) return part;
      return std::nullopt;
    case db::Membership::invite:
      if (user_->blocks_invites) return std::nullopt;
      part.section = RoomPart::Section::invite;
      if (invite_permission_changed_) return part;  // it may have been kept back until now
      break;
    case db::Membership::knock:
      part.section = RoomPart::Section::knock;
      break;
    case db::Membership::leave:
    case db::Membership::ban:
      part.section = RoomPart::Section::leave;
      // A room that was just left is told once, whatever the filter says, or the client would never know.
      if ((!initial() && (is_new || since_was_lost_)) || (every_room_ && filter_->include_leave)) return part;
      return std::nullopt;
  }
  if (every_room_ || is_new) return part;
  return std::nullopt;
}

bool SyncBuilder::may_have_news(const RoomMembership& membership) const {
  const RoomNid room = membership.room;
  const StreamPosition since = since_position();
  return !ring_covers_ || !typing_is_known_ || membership.position > since ||
         s_.hub.recent().last_in_room(room) > since || s_.receipts.last_in_room(room) > since ||
         typing_rooms_.contains(room) || room_account_data_.contains(room);
}

Task<> SyncBuilder::look_up_rooms() {
  std::vector<RoomNid> nids;
  nids.reserve(parts_.size());
  for (const auto& part : parts_)
    nids.push_back(part.membership.room);
  const auto infos = co_await s_.reader.rooms(std::move(nids));
  for (std::size_t i = 0; i < parts_.size(); ++i) {
    RoomPart& part = parts_[i];
    part.info = infos[i];
    if (!part.info) continue;
    const StreamPosition last = ring_covers_ ? s_.hub.recent().last_in_room(part.info->nid) : part.info->last_position;
    part.has_events = every_room_ || part.membership.position > since_position() || last > since_position();
  }
  std::erase_if(parts_,
                [this](const auto& part) { return !part.info || !filter_->rooms.accepts(part.info->id.str()); });
}

Task<> SyncBuilder::place_join(RoomPart& part) {
  part.until = until_.position;
  const auto now = memory_.versions.at(part.info->nid, part.until);
  part.end.version = now.version.value_or(part.info->state.version);
  part.fresh = initial();
  if (!initial() && part.has_events) {
    part.since_version = co_await version_at(part.info, since_position());
    if (part.membership.position > since_position()) {
      StateRef then;
      then.version = part.since_version;
      const bool joined = co_await was_joined(part.info, then);
      part.rejoined = joined && left_meanwhile(part);
      part.fresh = !joined || part.rejoined;
      co_await find_known_members(part, joined);
    } else {
      part.members_known_at = part.since_version;
    }
  }
  part.since = part.fresh ? 0 : since_position();
  part.whole_state = part.fresh || request_.full_state || since_was_lost_;
  if (part.fresh || since_was_lost_) memory_.sent_members.forget(request_.requester.device_nid, part.info->nid);
}

// spec: client-server-api#room-history-visibility: what came after the user left is not theirs to see, but for what
// became of them.
Task<> SyncBuilder::place_leave(RoomPart& part) {
  std::vector<EventNid> nids(1, part.membership.event);
  const auto own = (co_await s_.events.by_nid(std::move(nids))).front();
  StoredEventPtr end;  // of the user's last stay in the room
  if (!part.membership.forgotten) end = co_await s_.reader.end_of_stay(request_.requester.user, part.membership);
  const bool is_new = part.membership.position > since_position();
  part.until = part.membership.position;
  if (own) part.end = own->state_after();
  if (own != end) part.last_own_event = own;
  part.only_own_event = !end || !end->is_live() || (!initial() && is_new && end->position() <= since_position());
  if (part.only_own_event) co_return;

  part.until = end->position();
  part.end = end->state_after();
  part.fresh = initial();
  if (!initial()) {
    part.since_version = co_await version_at(part.info, since_position());
    StateRef then;
    then.version = part.since_version;
    const bool joined = co_await was_joined(part.info, then);
    part.fresh = !joined && part.until > since_position();
    co_await find_known_members(part, joined);
  }
  part.since = part.fresh ? 0 : since_position();
  part.whole_state = part.fresh || request_.full_state;
}

// A membership gets a new position when the room is forgotten; that it was left is told only to those who don't know.
bool SyncBuilder::forgot_what_was_told(const RoomPart& part) const {
  const auto& own = part.last_own_event;
  return part.membership.forgotten && own && own->is_live() && own->position() <= since_position();
}

// The version of the main line at a position. Before the memory of this process it may be an earlier one: then a little
// of what the client knows is told again.
Task<std::int32_t> SyncBuilder::version_at(RoomInfoPtr room, StreamPosition position) {
  const auto remembered = memory_.versions.at(room->nid, position);
  if (remembered.known) co_return remembered.version.value_or(room->state.version);
  constexpr std::size_t look_back = 50;
  const StoredEventPtr last = co_await s_.events.last_at(room->nid, position);
  if (!last) co_return 0;
  if (last->state_after().line == 0) co_return last->state_after().version;
  const auto earlier = co_await s_.events.page(room->nid, *last->order, Direction::backward, look_back);
  for (const auto& event : earlier)
    if (event->state_after().line == 0) co_return event->state_after().version;
  co_return 0;
}

Task<bool> SyncBuilder::was_joined(RoomInfoPtr room, StateRef at) {
  StateRef nothing;
  if (at == nothing) co_return false;
  const auto membership = co_await s_.reader.membership_at(room->nid, at, request_.requester.user);
  co_return membership == db::Membership::join;
}

// A client keeps what it knows of a room while its user is out of it, and so what it believes of members then.
Task<> SyncBuilder::find_known_members(RoomPart& part, bool joined) {
  if (!lazy()) co_return;
  if (joined) {
    part.members_known_at = part.since_version;
    co_return;
  }
  constexpr std::size_t at_once = 20;
  StateKey name("m.room.member", request_.requester.user.str());
  const StateKeyNid key = co_await s_.interner.state_key(std::move(name));
  auto read = [room = part.info->nid, key, last = part.since_version](db::Connection& c) {
    return db::main_line_spans(c, room, std::span(&key, 1), 0, last);
  };
  const auto spans = co_await s_.database.run(std::move(read));
  for (std::size_t first = 0; first < spans.size(); first += at_once) {
    std::vector<EventNid> nids;
    for (std::size_t i = first; i < std::min(first + at_once, spans.size()); ++i)
      nids.push_back(spans[i].event);
    const auto events = co_await s_.events.by_nid(std::move(nids));
    for (std::size_t i = 0; i < events.size(); ++i) {
      if (!events[i] || events[i]->event->membership() != "join") continue;
      part.members_known_at = std::min(spans[first + i].to_version, part.since_version);
      co_return;
    }
  }
}

bool SyncBuilder::left_meanwhile(const RoomPart& part) const {
  if (!ring_covers_) return false;
  const auto events = s_.hub.recent().in_room(part.info->nid, since_position(), part.until);
  return std::any_of(events.begin(), events.end(), [&](const auto& event) {
    return event->event->is_state("m.room.member", request_.requester.user.str()) &&
           event->event->membership() != "join";
  });
}

Task<> SyncBuilder::read_receipts() {
  if (!filter_->room_ephemeral.types.accepts("m.receipt")) co_return;
  std::vector<RoomNid> fresh, known;
  for (const auto& part : parts_) {
    if (part.section != RoomPart::Section::join || !filter_->room_ephemeral.rooms.accepts(part.info->id.str()))
      continue;
    (part.fresh || since_was_lost_ ? fresh : known).push_back(part.info->nid);
  }
  ReceiptService::ByRoom receipts;
  if (!known.empty())
    receipts = co_await s_.receipts.changed(std::move(known), since_position(), until_.position, user_->nid);
  if (!fresh.empty()) receipts.merge(co_await s_.receipts.changed(std::move(fresh), 0, until_.position, user_->nid));
  constexpr std::size_t receipt_bytes = 1024;
  std::size_t count = 0;
  for (const auto& [room, of_room] : receipts)
    count += of_room.size();
  co_await budget_.take(count * receipt_bytes);
  for (RoomPart& part : parts_) {
    auto found = receipts.find(part.info->nid);
    if (found == receipts.end()) continue;
    part.receipts = std::move(found->second);
    std::erase_if(part.receipts, [this](const auto& receipt) { return user_->ignored.contains(receipt.user.str()); });
  }
}

void SyncBuilder::choose_typing() {
  for (RoomPart& part : parts_) {
    if (part.section != RoomPart::Section::join) continue;
    if (!filter_->room_ephemeral.types.accepts("m.typing") ||
        !filter_->room_ephemeral.rooms.accepts(part.info->id.str()))
      continue;
    const RoomNid room = part.info->nid;
    // A token of an earlier life: who typed then may not any more, and the client has to learn that too.
    const bool unknown = !initial() && !typing_is_known_;
    part.tell_typing = unknown || typing_rooms_.contains(room) || (part.fresh && !s_.typing.in_room(room).empty());
  }
}

// A client that enters a room is told what the user had said about it before, on whatever device.
Task<> SyncBuilder::read_account_data_of_fresh_rooms() {
  if (initial() || since_was_lost_) co_return;
  std::vector<RoomNid> fresh;
  for (const auto& part : parts_)
    if (part.fresh) fresh.push_back(part.info->nid);
  if (fresh.empty()) co_return;
  auto read = [user = user_->nid, fresh = std::move(fresh), until = until_.position,
               most = s_.accounts.settings().max_user_data_bytes](db::Connection& c) {
    return db::account_data_of_rooms(c, user, fresh, until, most);
  };
  auto found = co_await s_.database.run(std::move(read));
  for (const auto& data : found)
    room_account_data_.erase(data.room);
  for (auto& data : found)
    room_account_data_[data.room].push_back(std::move(data));
}

void SyncBuilder::add_room_account_data() {
  for (RoomPart& part : parts_) {
    auto data = room_account_data_.find(part.info->nid);
    if (part.section != RoomPart::Section::join && part.section != RoomPart::Section::leave) continue;
    if (data == room_account_data_.end() || !filter_->room_account_data.rooms.accepts(part.info->id.str())) continue;
    for (const auto& change : data->second)
      if (filter_->room_account_data.types.accepts(change.type))
        part.account_data.push_back(account_data_event(change.type, change.content_json));
  }
}

}  // namespace causeway
