#include "homeserver/rooms/members/peers_memberships.hpp"

#include "homeserver/rooms/head/head_state.hpp"
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

Task<Result<EventTemplate>> PeersMemberships::make_template(RoomId room_id, UserId user, std::string membership,
                                                            std::vector<std::string> supported_versions) {
  auto room = co_await services_.reader.room(room_id);
  if (!room || !room->resident) co_return unknown_room();
  const bool understood = std::ranges::find(supported_versions, room->version->id) != supported_versions.end();
  if (membership != "leave" && !understood) co_return incompatible(*room->version);
  auto lock = co_await services_.heads.enter(room_id);
  if (!lock) co_return lock.error();
  if (!lock->known()) co_return unknown_room();
  // The template must cite what the peer can ask for: committed events.
  const bool settled = co_await services_.heads.settle(*lock);
  if (!settled) co_return make_error(ErrorCode::unknown, 503, "The room is busy. Try again.");
  LocalDraft draft;
  draft.sender = user;
  draft.type = "m.room.member";
  draft.state_key = user.str();
  draft.content["membership"] = membership;
  if (membership == "join") {
    const auto current = co_await membership_in(services_.heads, lock->head(), user);
    auto via = co_await services_.restricted.authorise(lock->head(), user, current);
    if (!via) co_return via.error();
    draft.join_authorised_via = std::move(*via);
  }
  co_return co_await services_.builder.build_template(lock->head(), std::move(draft));
}

Task<Result<StoredEventPtr>> PeersMemberships::accept(EventPtr event) {
  Inbound inbound;
  inbound.event = std::move(event);
  inbound.local = true;  // it is for this server to pass it on
  auto appended = co_await services_.inbound.append_if_accepted(std::move(inbound));
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

Task<Result<JoinReply>> PeersMemberships::accept_join(ServerName origin, VerifiedEvent join) {
  if (auto checked = check_membership_event(*join.event(), origin, "join"); !checked) co_return checked.error();
  auto room = co_await services_.reader.room(join.event()->room_id());
  if (!room || !room->resident) co_return unknown_room();
  auto event = co_await countersign_restricted_join(join.event());
  if (!event) co_return event.error();
  auto may_join = co_await check_join_now(room, *event);
  if (!may_join) co_return may_join.error();
  // Who can't be told the room's state must not be let in. Usually it is still that which is here now.
  auto told = co_await join_state(room, room->state, *event);
  if (!told) co_return told.error();
  auto stored = co_await accept(*event);
  if (!stored) co_return stored.error();
  if ((*stored)->before != told->at) told = co_await join_state(room, (*stored)->before, *event);
  if (!told) co_return told.error();

  JoinReply reply;
  reply.event = (*stored)->event;
  reply.state = std::move(told->state);
  reply.auth_chain = std::move(told->auth_chain);
  reply.servers.push_back(services_.self.name);
  auto members = co_await services_.reader.members(room->nid);
  for (const auto& server : members->joined_servers)
    if (server != services_.self.name && server != origin) reply.servers.push_back(server);
  co_return reply;
}

// spec: server-server-api#put_matrixfederationv2send_joinroomideventid: a join that one of our users authorises needs
// our signature before anybody else sees it.
Task<Result<EventPtr>> PeersMemberships::countersign_restricted_join(EventPtr join) {
  const auto authoriser = json::find_string(join->content(), "join_authorised_via_users_server");
  if (!authoriser || !join->version().has_restricted_joins) co_return join;
  auto user = UserId::parse(*authoriser);
  if (!user || !services_.self.hosts(*user)) co_return join;
  auto authorised = co_await recheck_restricted_join(join);
  if (!authorised) co_return authorised.error();
  co_return add_signature(*join, services_.self.name, services_.self.key);
}

// Whom the present state shuts out would be refused in the end; before that the whole state is not read for them.
Task<Result<>> PeersMemberships::check_join_now(RoomInfoPtr room, EventPtr join) {
  auto keys = keys_that_judge(*join);
  auto held = co_await services_.reader.state_events(room->nid, room->state, std::move(keys));
  AuthEvents state;
  for (const auto& holder : held)
    if (holder) state.add(holder->event);
  if (auto refusal = check_auth(*join, state)) co_return forbidden(*refusal);
  co_return Result<>{};
}

Task<Result<PeersMemberships::JoinState>> PeersMemberships::join_state(RoomInfoPtr room, StateRef at, EventPtr join) {
  JoinState told;
  told.at = at;
  told.state = co_await services_.reader.all_state(room->nid, at);
  auto ids = join->auth_events();
  auto cited = co_await services_.events.by_id(std::move(ids));
  std::vector<EventNid> nids;
  for (const auto& event : told.state)
    nids.push_back(event->nid);
  for (const auto& event : cited)
    if (event && event->room == room->nid) nids.push_back(event->nid);
  auto chain = co_await services_.events.auth_chain(std::move(nids));
  if (!chain) co_return chain.error();
  told.auth_chain = std::move(*chain);
  co_return told;
}

// The conditions are looked at when the join is made, not only when its template was.
Task<Result<>> PeersMemberships::recheck_restricted_join(EventPtr join) {
  auto lock = co_await services_.heads.enter(join->room_id());
  if (!lock) co_return lock.error();
  if (!lock->known()) co_return unknown_room();
  const auto current = co_await membership_in(services_.heads, lock->head(), join->sender());
  auto via = co_await services_.restricted.authorise(lock->head(), join->sender(), current);
  if (!via) co_return via.error();
  co_return Result<>{};
}

Task<Result<>> PeersMemberships::accept_leave(ServerName origin, VerifiedEvent leave) {
  if (auto checked = check_membership_event(*leave.event(), origin, "leave"); !checked) co_return checked.error();
  auto stored = co_await accept(leave.event());
  if (!stored) co_return stored.error();
  co_return Result<>{};
}

}  // namespace causeway
