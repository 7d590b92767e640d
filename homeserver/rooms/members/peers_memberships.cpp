// Memberships of other servers' users in rooms that this server is in, and invites of its own users by others.
//
// spec: server-server-api#joining-rooms, server-server-api#leaving-rooms-rejecting-invites,
// server-server-api#inviting-to-a-room
#include "homeserver/rooms/room_service_impl.hpp"
#include "schema/events/signing.hpp"
#include "schema/json/json.hpp"

namespace causeway {

namespace {

MatrixError unknown_room() {
  return make_error(ErrorCode::not_found, "This server is not in that room.");
}

MatrixError incompatible(const RoomVersion& version) {
  auto error = make_error(ErrorCode::incompatible_room_version, 400,
                          "Your server does not support version " + std::string(version.id) + " of this room.");
  error.extra["room_version"] = version.id;
  return error;
}

// What send_join and send_leave ask of an event before it is looked at.
Result<> check_membership_event(const Event& event, const ServerName& origin, std::string_view membership) {
  const bool right = event.is("m.room.member") && event.membership() == membership && event.state_key() &&
                     *event.state_key() == event.sender().str() && event.sender().server() == origin.str();
  if (right) return {};
  return make_error(ErrorCode::invalid_param,
                    "The event must be a " + std::string(membership) + " of one of your server's own users.");
}

}  // namespace

Task<Result<EventTemplate>> RoomService::Impl::make_membership_template(RoomId room_id, UserId user,
                                                                        std::string membership,
                                                                        std::vector<std::string> supported_versions) {
  auto room = co_await services.reader.room(room_id);
  if (!room || !room->resident) co_return unknown_room();
  const bool understood = std::ranges::find(supported_versions, room->version->id) != supported_versions.end();
  if (membership != "leave" && !understood) co_return incompatible(*room->version);
  auto lock = co_await heads.enter(room_id);
  if (!lock) co_return lock.error();
  if (!lock->known()) co_return unknown_room();
  // The template must cite what the peer can ask for: committed events.
  const bool settled = co_await heads.settle(*lock);
  if (!settled) co_return make_error(ErrorCode::unknown, 503, "The room is busy. Try again.");
  LocalDraft draft;
  draft.sender = user;
  draft.type = "m.room.member";
  draft.state_key = user.str();
  draft.content["membership"] = membership;
  if (membership == "join") {
    const auto current = co_await membership_in(lock->head(), user);
    auto via = co_await authorise_restricted_join(lock->head(), user, current);
    if (!via) co_return via.error();
    draft.join_authorised_via = std::move(*via);
  }
  co_return co_await builder.build_template(lock->head(), std::move(draft));
}

Task<Result<StoredEventPtr>> RoomService::Impl::accept_membership(EventPtr event) {
  Inbound owed;
  owed.event = std::move(event);
  owed.local = true;  // it is for this server to pass it on
  auto appended = co_await inbound.append_if_accepted(std::move(owed));
  switch (appended.outcome.result) {
    case Received::accepted:
      co_return appended.stored;
    case Received::duplicate:
    case Received::soft_failed:
    case Received::rejected:
      co_return make_error(ErrorCode::forbidden, appended.outcome.reason);
    case Received::refused:
      co_return make_error(ErrorCode::not_found, appended.outcome.reason);
    case Received::missing:
      co_return make_error(ErrorCode::invalid_param, "The event cites events that this server does not have.");
  }
  co_return make_error(ErrorCode::unknown, 500, "The event was not accepted.");
}

Task<Result<JoinReply>> RoomService::Impl::accept_join(ServerName origin, VerifiedEvent join) {
  if (auto checked = check_membership_event(*join.event(), origin, "join"); !checked) co_return checked.error();
  auto room = co_await services.reader.room(join.event()->room_id());
  if (!room || !room->resident) co_return unknown_room();
  auto event = co_await countersign_restricted_join(join.event());
  if (!event) co_return event.error();
  auto may_join = co_await check_join_now(room, *event);
  if (!may_join) co_return may_join.error();
  // Who can't be told the room's state must not be let in. Usually it is still that which is here now.
  auto told = co_await join_state(room, room->state, *event);
  if (!told) co_return told.error();
  auto stored = co_await accept_membership(*event);
  if (!stored) co_return stored.error();
  if ((*stored)->before != told->at) told = co_await join_state(room, (*stored)->before, *event);
  if (!told) co_return told.error();

  JoinReply reply;
  reply.event = (*stored)->event;
  reply.state = std::move(told->state);
  reply.auth_chain = std::move(told->auth_chain);
  reply.servers.push_back(services.self.name);
  auto members = co_await services.reader.members(room->nid);
  for (const auto& server : members->joined_servers)
    if (server != services.self.name && server != origin) reply.servers.push_back(server);
  co_return reply;
}

// spec: server-server-api#put_matrixfederationv2send_joinroomideventid: a join that one of our users authorises needs
// our signature before anybody else sees it.
Task<Result<EventPtr>> RoomService::Impl::countersign_restricted_join(EventPtr join) {
  const auto authoriser = json::find_string(join->content(), "join_authorised_via_users_server");
  if (!authoriser || !join->version().has_restricted_joins) co_return join;
  auto user = UserId::parse(*authoriser);
  if (!user || !is_local(*user)) co_return join;
  auto authorised = co_await recheck_restricted_join(join);
  if (!authorised) co_return authorised.error();
  co_return add_signature(*join, services.self.name, services.self.key);
}

// Whom the present state shuts out would be refused in the end; before that the whole state is not read for them.
Task<Result<>> RoomService::Impl::check_join_now(RoomInfoPtr room, EventPtr join) {
  auto keys = keys_that_judge(*join);
  auto held = co_await services.reader.state_events(room->nid, room->state, std::move(keys));
  AuthEvents state;
  for (const auto& holder : held)
    if (holder) state.add(holder->event);
  if (auto refusal = check_auth(*join, state)) co_return forbidden(*refusal);
  co_return Result<>{};
}

Task<Result<RoomService::Impl::JoinState>> RoomService::Impl::join_state(RoomInfoPtr room, StateRef at, EventPtr join) {
  JoinState told;
  told.at = at;
  told.state = co_await services.reader.all_state(room->nid, at);
  auto ids = join->auth_events();
  auto cited = co_await services.events.by_id(std::move(ids));
  std::vector<EventNid> nids;
  for (const auto& event : told.state)
    nids.push_back(event->nid);
  for (const auto& event : cited)
    if (event && event->room == room->nid) nids.push_back(event->nid);
  auto chain = co_await services.events.auth_chain(std::move(nids));
  if (!chain) co_return chain.error();
  told.auth_chain = std::move(*chain);
  co_return told;
}

// The conditions are looked at when the join is made, not only when its template was.
Task<Result<>> RoomService::Impl::recheck_restricted_join(EventPtr join) {
  auto lock = co_await heads.enter(join->room_id());
  if (!lock) co_return lock.error();
  if (!lock->known()) co_return unknown_room();
  const auto current = co_await membership_in(lock->head(), join->sender());
  auto via = co_await authorise_restricted_join(lock->head(), join->sender(), current);
  if (!via) co_return via.error();
  co_return Result<>{};
}

Task<Result<>> RoomService::Impl::accept_leave(ServerName origin, VerifiedEvent leave) {
  if (auto checked = check_membership_event(*leave.event(), origin, "leave"); !checked) co_return checked.error();
  auto stored = co_await accept_membership(leave.event());
  if (!stored) co_return stored.error();
  co_return Result<>{};
}

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

Task<Result<EventPtr>> RoomService::Impl::accept_invite(ServerName origin, VerifiedEvent verified,
                                                        boost::json::array stripped_state) {
  const Event& event = *verified.event();
  auto target = UserId::parse(event.state_key().value_or(""));
  if (!event.is("m.room.member") || event.membership() != "invite" || !target)
    co_return make_error(ErrorCode::invalid_param, "The event must be an invite.");
  if (!is_local(*target)) co_return make_error(ErrorCode::invalid_param, "The invited user is not one of this server.");
  if (event.sender().server() != origin.str())
    co_return make_error(ErrorCode::invalid_param, "The invite must come from its sender's server.");
  if (auto checked = co_await check_may_be_invited(*target); !checked) co_return checked.error();
  EventPtr invite = add_signature(event, services.self.name, services.self.key);

  auto lock = co_await heads.enter(event.room_id());
  if (!lock) co_return lock.error();
  // In a room that this server is in, the invite comes with the room's other events.
  if (lock->known() && lock->head().in_room(services.self.name)) co_return invite;
  // Only a join shows which version is the true one. Until then what was told first holds while it matters to somebody.
  if (lock->known() && lock->head().version != &event.version()) {
    const std::string version(lock->head().version->id);
    const bool gave_way = co_await purger.begin(*lock, db::PurgeIf::declined);
    if (!gave_way)
      co_return make_error(ErrorCode::forbidden, "The room is known here as one of version " + version + ".");
  }
  auto unit = std::make_shared<WriteUnit>();
  if (lock->known()) {
    unit->room = lock->head().nid;
  } else {
    co_await purger.finish(event.room_id());
    unit->room = co_await services.interner.next_room();
    unit->new_room.emplace();
    unit->new_room->room_id = event.room_id();
    unit->new_room->version = event.version().id;
    unit->new_room->created_ts = services.clock.now_ms();
  }
  MembershipChange change;
  change.user = co_await services.interner.user(*target);
  change.room = unit->room;
  change.membership = db::Membership::invite;
  auto stored = co_await add_foreign_outlier(*unit, invite);
  if (!stored) co_return stored.error();
  // Each invite counts once: its server may repeat it when it has long been declined.
  if (unit->events.empty()) co_return invite;
  auto space = co_await space_for_invite(change.user, std::move(origin));
  if (!space) co_return space.error();
  change.event = *stored;
  change.stripped_state = prune_stripped(stripped_state, event, *space);
  unit->memberships.push_back(std::move(change));
  auto written = co_await services.writer.commit(unit);
  if (!written) co_return written.error();
  co_return invite;
}

}  // namespace causeway
