#include "homeserver/rooms/members/invites_from_peers.hpp"

#include "schema/events/signing.hpp"
#include "schema/json/json.hpp"

namespace causeway {

namespace {

// spec: server-server-api#put_matrixfederationv2inviteroomideventid: nothing but these keys is kept.
std::string stripped(const boost::json::object& event) {
  boost::json::object kept;
  for (const char* key : {"type", "state_key", "sender", "content"})
    if (const auto* value = event.if_contains(key)) kept[key] = *value;
  return boost::json::serialize(kept);
}

// The invite as it is shown; of one that says a lot only what it is.
std::string stripped_invite(const Event& invite) {
  constexpr std::size_t max_content_bytes = 4 * 1024;
  boost::json::object own;
  own["type"] = invite.type();
  own["state_key"] = *invite.state_key();
  own["sender"] = invite.sender().str();
  own["content"] = invite.content();
  if (invite.content_json().size() > max_content_bytes) own["content"] = boost::json::object{{"membership", "invite"}};
  return boost::json::serialize(own);
}

// JSON text: what is whole of the given, as far as there is room for it, and the invite itself.
std::string prune_stripped(const boost::json::array& given, const Event& invite, std::size_t space) {
  constexpr std::size_t max_events = 100;
  const std::size_t max_bytes = std::min<std::size_t>(64 * 1024, space);
  std::string kept = "[";
  std::size_t events = 0;
  for (const auto& entry : given) {
    if (!entry.is_object() || events == max_events) continue;
    const auto& event = entry.get_object();
    const bool whole = json::find_string(event, "type") && json::find_string(event, "state_key") &&
                       json::find_string(event, "sender") && json::find_object(event, "content");
    const bool is_invite = json::find_string(event, "type") == "m.room.member" &&
                           json::find_string(event, "state_key") == invite.state_key();
    if (!whole || is_invite) continue;
    const std::string text = stripped(event);
    if (kept.size() + text.size() > max_bytes) continue;
    kept += text + ",";
    ++events;
  }
  return kept + stripped_invite(invite) + "]";
}

}  // namespace

Task<Result<EventPtr>> InvitesFromPeers::accept(ServerName origin, VerifiedEvent verified,
                                                boost::json::array stripped_state) {
  const Event& event = *verified.event();
  auto target = UserId::parse(event.state_key().value_or(""));
  if (!event.is("m.room.member") || event.membership() != "invite" || !target)
    co_return make_error(ErrorCode::invalid_param, "The event must be an invite.");
  if (!services_.self.hosts(*target))
    co_return make_error(ErrorCode::invalid_param, "The invited user is not one of this server.");
  if (event.sender().server() != origin.str())
    co_return make_error(ErrorCode::invalid_param, "The invite must come from its sender's server.");
  if (auto checked = co_await services_.permission.check(*target); !checked) co_return checked.error();
  EventPtr invite = add_signature(event, services_.self.name, services_.self.key);

  auto lock = co_await services_.heads.enter(event.room_id());
  if (!lock) co_return lock.error();
  // In a room that this server is in, the invite comes with the room's other events.
  if (lock->known() && lock->head().in_room(services_.self.name)) co_return invite;
  auto unit = std::make_shared<WriteUnit>();
  auto known = co_await put_room_in(*unit, *lock, event);
  if (!known) co_return known.error();
  MembershipChange change;
  change.user = co_await services_.interner.user(*target);
  change.room = unit->room;
  change.membership = db::Membership::invite;
  auto stored = co_await services_.foreign.add_event(*unit, invite);
  if (!stored) co_return stored.error();
  // Each invite counts once: its server may repeat it when it has long been declined.
  if (unit->events.empty()) co_return invite;
  auto space = co_await services_.permission.space_for_invite(change.user, std::move(origin));
  if (!space) co_return space.error();
  change.event = *stored;
  change.stripped_state = prune_stripped(stripped_state, event, *space);
  unit->memberships.push_back(std::move(change));
  auto written = co_await services_.writer.commit(unit);
  if (!written) co_return written.error();
  co_return invite;
}

Task<Result<>> InvitesFromPeers::put_room_in(WriteUnit& unit, RoomLock& lock, const Event& invite) {
  // Only a join shows which version is the true one. Until then what was told first holds while it matters to somebody.
  if (lock.known() && lock.head().version != &invite.version()) {
    const std::string version(lock.head().version->id);
    const bool gave_way = co_await services_.purger.begin(lock, db::PurgeIf::declined);
    if (!gave_way)
      co_return make_error(ErrorCode::forbidden, "The room is known here as one of version " + version + ".");
  }
  if (lock.known()) {
    unit.room = lock.head().nid;
    co_return Result<>{};
  }
  co_await services_.purger.finish(invite.room_id());
  unit.room = co_await services_.interner.next_room();
  unit.new_room.emplace();
  unit.new_room->room_id = invite.room_id();
  unit.new_room->version = invite.version().id;
  unit.new_room->created_ts = services_.clock.now_ms();
  co_return Result<>{};
}

}  // namespace causeway
