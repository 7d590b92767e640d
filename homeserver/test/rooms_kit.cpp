#include "homeserver/test/support/rooms_kit.hpp"

#include "schema/db/tables/server_identity.hpp"
#include "schema/events/signing.hpp"

namespace causeway::test {

using boost::json::object;

db::Settings RoomsKit::settings_of(const TestDatabase& database) {
  db::Settings settings;
  settings.url = database.url();
  settings.connections = 2;
  return settings;
}

RoomsKit::RoomsKit(asio::io_context& r, const std::string& server_name)
    : reactor(r), self{ServerName::trusted(server_name), crypto::SigningKey::generate("ed25519:1")} {
  start();
}

void RoomsKit::start() {
  database = std::make_unique<db::Database>(settings_of(database_));
  database->run_blocking([this](db::Connection& c) { db::claim_server_name(c, self.name); });
  hub = std::make_unique<StreamHub>();
  writer = std::make_unique<EventWriter>(reactor.get_executor(), database_.url(), WriterSettings(), *hub, metrics);
  hub->start_at(writer->take_over());
  interner = std::make_unique<Interner>(*database);
  events = std::make_unique<EventStore>(*database, hub->recent(), event_limits_);
  hub->feed(*events);
  states = std::make_unique<StateStore>(*database);
  reader = std::make_unique<RoomReader>(*database, *hub, *interner, *events, *states);
  const RoomService::Services services{*database, *writer, *interner, *events, *states,    *reader,
                                       cpu,       clock,   metrics,   self,    user_lanes, bounds_};
  rooms = std::make_unique<RoomService>(services);
  rooms->set_remote(remote);
}

void RoomsKit::restart() {
  rooms.reset();
  reader.reset();
  states.reset();
  events.reset();
  interner.reset();
  writer.reset();
  hub.reset();
  database.reset();
  start();
}

void RoomsKit::execute(const std::string& sql) {
  pqxx::connection connection(database_.url());
  pqxx::nontransaction(connection).exec(sql);
}

Sender RoomsKit::user(const std::string& localpart) {
  Sender sender;
  sender.user = UserId::trusted("@" + localpart + ":" + self.name.str());
  sender.nid = run(interner->user(sender.user));
  sender.device = DeviceNid{to_int(sender.nid)};
  return sender;
}

RoomId RoomsKit::create_room(const Sender& creator, CreateRoom request) {
  request.creator = creator;
  return run(rooms->create_room(std::move(request))).value();
}

RoomId RoomsKit::create_public_room(const Sender& creator, std::string version) {
  CreateRoom request;
  request.preset = "public_chat";
  request.version = std::move(version);
  return create_room(creator, std::move(request));
}

Result<EventId> RoomsKit::send(const Sender& sender, const RoomId& room, const std::string& text,
                               std::optional<std::string> transaction) {
  SendEvent request;
  request.sender = sender;
  request.room = room;
  request.type = "m.room.message";
  request.content["msgtype"] = "m.text";
  request.content["body"] = text;
  request.transaction_path = std::move(transaction);
  return run(rooms->send(std::move(request)));
}

Result<EventId> RoomsKit::set_state(const Sender& sender, const RoomId& room, const std::string& type,
                                    const std::string& state_key, object content) {
  SendEvent request;
  request.sender = sender;
  request.room = room;
  request.type = type;
  request.state_key = state_key;
  request.content = std::move(content);
  return run(rooms->send(std::move(request)));
}

Result<> RoomsKit::change(ChangeMembership::Kind kind, const Sender& sender, const UserId& target, const RoomId& room,
                          std::vector<ServerName> via) {
  using Kind = ChangeMembership::Kind;
  ChangeMembership request;
  request.kind = kind;
  request.sender = sender;
  request.target = target;
  request.room = room;
  request.via = std::move(via);
  request.membership = kind == Kind::invite ? db::Membership::invite
                       : kind == Kind::join ? db::Membership::join
                       : kind == Kind::ban  ? db::Membership::ban
                                            : db::Membership::leave;
  return run(rooms->change_membership(std::move(request)));
}

std::map<std::string, EventPtr> RoomsKit::state(const RoomId& id) {
  auto info = room(id);
  std::map<std::string, EventPtr> found;
  auto all = run(reader->all_state(info->nid, info->state));
  for (const auto& event : all)
    found[event->event->type() + "|" + *event->event->state_key()] = event->event;
  return found;
}

std::string RoomsKit::membership(const RoomId& id, const UserId& user) {
  auto current = state(id);
  auto found = current.find("m.room.member|" + user.str());
  return found == current.end() ? "" : std::string(*found->second->membership());
}

std::vector<StoredEventPtr> RoomsKit::timeline(const RoomId& id) {
  auto info = room(id);
  auto page = run(events->page(info->nid, OrderKey{hub->position(), 1}, Direction::backward, 10'000));
  std::ranges::reverse(page);
  return page;
}

EventPtr RoomsKit::sealed(object pdu, const RoomVersion& version) {
  pdu["origin_server_ts"] = clock.now_ms();
  if (version.event_id == EventIdForm::chosen) pdu["event_id"] = "$" + crypto::random_token(18) + ":" + self.name.str();
  object hashes;
  hashes["sha256"] = crypto::base64(crypto::as_view(content_hash(pdu)));
  pdu["hashes"] = std::move(hashes);
  object signing = redact(version, pdu);
  sign_json(signing, self.name.str(), self.key);
  pdu["signatures"] = signing["signatures"];
  return Event::from_pdu(version, std::move(pdu)).value();
}

void DirectRemote::add(RoomsKit& other) {
  others_[other.self.name.str()] = &other;
}

RoomsKit& DirectRemote::other(const ServerName& name) {
  return *others_.at(name.str());
}

Task<Result<EventPtr>> DirectRemote::draw_up(RoomsKit& resident, MembershipTemplate membership) {
  std::vector<std::string> versions;
  for (const auto& version : supported_room_versions())
    versions.emplace_back(version.id);
  auto made = co_await resident.rooms->make_membership_template(membership.room_id, membership.user,
                                                                membership.membership, std::move(versions));
  if (!made) co_return made.error();
  object pdu = std::move(made->event);
  for (const auto& [key, value] : membership.content)
    pdu["content"].as_object()[key] = value;
  co_return self_.sealed(std::move(pdu), *made->version);
}

Task<Result<RemoteJoin>> DirectRemote::join(MembershipTemplate membership, std::vector<ServerName> via) {
  RoomsKit& resident = other(via.front());
  auto event = co_await draw_up(resident, std::move(membership));
  if (!event) co_return event.error();
  auto accepted = co_await resident.rooms->accept_join(self_.self.name, TestVerifiedEvents::of(*event));
  if (!accepted) co_return accepted.error();
  co_return RemoteJoin{&(*event)->version(), TestVerifiedEvents::of(accepted->event),
                       TestVerifiedEvents::of(accepted->state), TestVerifiedEvents::of(accepted->auth_chain),
                       resident.self.name};
}

Task<Result<EventPtr>> DirectRemote::leave(MembershipTemplate membership, std::vector<ServerName> via) {
  RoomsKit& resident = other(via.front());
  auto event = co_await draw_up(resident, std::move(membership));
  if (!event) co_return event.error();
  auto accepted = co_await resident.rooms->accept_leave(self_.self.name, TestVerifiedEvents::of(*event));
  if (!accepted) co_return accepted.error();
  if (during_leave) co_await during_leave();
  co_return event;
}

Task<Result<EventPtr>> DirectRemote::invite(EventPtr invite, std::vector<EventPtr> stripped_state, ServerName server) {
  boost::json::array stripped;
  for (const auto& event : stripped_state) {
    object shown;
    shown["type"] = event->type();
    shown["state_key"] = *event->state_key();
    shown["sender"] = event->sender().str();
    shown["content"] = event->content();
    stripped.push_back(std::move(shown));
  }
  co_return co_await other(server).rooms->accept_invite(self_.self.name, TestVerifiedEvents::of(std::move(invite)),
                                                        std::move(stripped));
}

Task<Result<ResolvedAlias>> DirectRemote::resolve_alias(RoomAlias alias) {
  auto resolved = co_await other(ServerName::trusted(std::string(alias.server()))).rooms->resolve_alias(alias);
  if (!resolved) co_return resolved.error();
  ResolvedAlias answer;
  answer.room_id = resolved->room_id;
  answer.servers = resolved->servers;
  co_return answer;
}

Task<Result<object>> DirectRemote::profile(UserId) {
  co_return object();
}

Task<Result<std::vector<VerifiedEvent>>> DirectRemote::backfill(RoomId room, const RoomVersion*,
                                                                std::vector<EventId> from, std::size_t limit,
                                                                std::vector<ServerName> via) {
  RoomsKit& resident = other(via.front());
  auto info = co_await resident.reader->room(room);
  auto first = co_await resident.events->by_id(from.front());
  if (!first) co_return make_error(ErrorCode::not_found, "no such event");
  OrderKey key = *first->order;
  ++key.sub;
  auto page = co_await resident.events->page(info->nid, key, Direction::backward, limit);
  co_return TestVerifiedEvents::of(page);
}

Task<Result<RemoteServers::StateIds>> DirectRemote::state_ids(RoomId room, EventId at, ServerName from) {
  RoomsKit& resident = other(from);
  auto info = co_await resident.reader->room(room);
  auto event = co_await resident.events->by_id(at);
  if (!event) co_return make_error(ErrorCode::not_found, "no such event");
  auto state = co_await resident.reader->all_state(info->nid, event->before);
  StateIds ids;
  std::vector<EventNid> nids;
  for (const auto& held : state) {
    ids.state.push_back(held->event->id());
    nids.push_back(held->nid);
  }
  auto chain = co_await resident.events->auth_chain(std::move(nids));
  if (!chain) co_return chain.error();
  for (const auto& link : *chain)
    ids.auth_chain.push_back(link->event->id());
  co_return ids;
}

Task<Result<RemoteServers::State>> DirectRemote::state(RoomId room, const RoomVersion* version, EventId at,
                                                       ServerName from) {
  auto ids = co_await state_ids(room, std::move(at), from);
  if (!ids) co_return ids.error();
  State whole;
  whole.state = *co_await events(room, version, std::move(ids->state), from);
  whole.auth_chain = *co_await events(room, version, std::move(ids->auth_chain), from);
  co_return whole;
}

Task<Result<std::vector<VerifiedEvent>>> DirectRemote::events(RoomId, const RoomVersion*, std::vector<EventId> ids,
                                                              ServerName from) {
  auto found = co_await other(from).events->by_id(std::move(ids));
  std::erase(found, nullptr);
  co_return TestVerifiedEvents::of(found);
}

}  // namespace causeway::test
