#include "homeserver/rooms/room_service.hpp"

#include "homeserver/rooms/making/event_sender.hpp"
#include "homeserver/rooms/making/room_upgrader.hpp"
#include "homeserver/rooms/members/invite_withdrawals.hpp"
#include "homeserver/rooms/members/invites_from_peers.hpp"
#include "homeserver/rooms/members/peers_memberships.hpp"
#include "homeserver/rooms/receiving/backfiller.hpp"

namespace causeway {

namespace {

constexpr std::size_t max_rooms_in_memory = 10'000;

RoomHeads::Services services_of_heads(const RoomService::Services& services) {
  return {services.database, services.writer, services.interner, services.events,
          services.states,   services.reader, services.self.name};
}

}  // namespace

// In the order in which they stand on each other: docs/ARCHITECTURE.md, "Rooms, class by class".
struct RoomService::Impl {
  explicit Impl(const Services& given);

  BoundRemoteServers remote;
  RoomHeads heads;
  RoomBuilder builder;
  AuthGraphs graphs;
  const ForkedState::Services forks;
  Redactions redactions;
  RoomPurger purger;
  Outliers outliers;
  ToldStates told_states;
  InboundPlacer placer;
  EventJudge judge;
  InboundEvents inbound;
  ExtremityMerger merger;
  Receiver receiver;
  StateFetcher fetcher;
  Backfiller backfiller;
  TransactionLog transactions;
  LaneWriter lane;
  MemberProfiles profiles;
  RestrictedJoins restricted;
  InvitePermission permission;
  ForeignMemberships foreign;
  InviteWithdrawals withdrawals;
  RemoteInviter inviter;
  RemoteJoiner joiner;
  RemoteLeaver leaver;
  CarriedSettings settings;
  Memberships memberships;
  PeersMemberships peers;
  InvitesFromPeers invites_from_peers;
  Aliases aliases;
  RoomMaker maker;
  RoomUpgrader upgrader;
  EventSender sender;
};

RoomService::Impl::Impl(const Services& given)
    : heads(services_of_heads(given), max_rooms_in_memory),
      builder(heads, given.interner, given.clock, given.self),
      graphs(given.database),
      forks{given.events, given.states, given.interner, heads, builder, graphs, given.cpu, given.bounds},
      redactions(given.database, given.events, heads),
      purger({given.database, given.writer, given.events, given.reader, heads}),
      outliers(given.interner, given.events, given.writer, heads),
      told_states(given.interner, given.events, outliers),
      placer(given.interner, given.events, told_states),
      judge(given.interner, heads),
      inbound(
          {given.database, given.events, heads, builder, forks, redactions, placer, judge, given.metrics, given.self}),
      merger({given.interner, given.reader, heads, builder, inbound, given.clock, given.self}),
      receiver(given.reader, heads, inbound, merger),
      fetcher(given.events, outliers, remote),
      backfiller({given.database, given.events, given.reader, heads, forks, redactions, placer, judge, fetcher, remote,
                  given.self}),
      transactions(given.database),
      lane({heads, builder, redactions, merger, transactions, given.self}),
      profiles(given.database, given.reader, heads, lane, given.self),
      restricted(given.reader, heads, given.self),
      permission(given.database, given.interner, given.events, given.reader, given.self),
      foreign({given.interner, given.events, given.writer, given.reader, heads, given.clock, given.self}),
      withdrawals({given.interner, given.events, given.reader, heads, foreign, receiver, given.self}),
      inviter({given.interner, heads, builder, inbound, remote, given.self}),
      joiner({given.interner, heads, builder, forks, outliers, placer, judge, inbound, purger, remote, given.cpu,
              given.clock, given.metrics, given.self}),
      leaver({given.events, given.reader, heads, foreign, remote, given.self}),
      settings({given.database, given.writer, given.reader, heads, given.account_data_lanes}),
      memberships({given.interner, given.events, given.writer, given.reader, heads, lane, profiles, restricted,
                   permission, foreign, inviter, joiner, leaver, settings, given.self}),
      peers({given.events, given.reader, heads, builder, inbound, restricted, given.self}),
      invites_from_peers({given.interner, given.writer, heads, purger, permission, foreign, given.clock, given.self}),
      aliases({given.database, given.writer, given.reader, remote, given.self}),
      maker({given.interner, heads, builder, profiles, permission, memberships, aliases, given.clock, given.self}),
      upgrader({given.reader, heads, merger, lane, settings, maker, given.self}),
      sender({given.reader, transactions, lane, memberships, aliases}) {}

RoomService::RoomService(Services services) : impl_(std::make_unique<Impl>(services)) {}
RoomService::~RoomService() = default;
void RoomService::set_remote(RemoteServers& remote) {
  impl_->remote.bind(remote);
}

Task<Result<EventId>> RoomService::send(SendEvent request) {
  return impl_->sender.send(std::move(request));
}

Task<Result<RoomId>> RoomService::create_room(CreateRoom request) {
  return impl_->maker.create(std::move(request));
}

Task<Result<RoomId>> RoomService::upgrade_room(UpgradeRoom request) {
  return impl_->upgrader.upgrade(std::move(request));
}

Task<Result<>> RoomService::change_membership(ChangeMembership request) {
  return impl_->memberships.change(std::move(request));
}

Task<Result<>> RoomService::forget(Sender user, RoomId room) {
  return impl_->memberships.forget(std::move(user), std::move(room));
}

Task<> RoomService::update_profile_in_rooms(Sender user, std::optional<std::string> display_name,
                                            std::optional<std::string> avatar_url) {
  return impl_->profiles.update(std::move(user), std::move(display_name), std::move(avatar_url));
}

Task<Result<>> RoomService::create_alias(Sender user, RoomAlias alias, RoomId room) {
  return impl_->aliases.create(std::move(user), std::move(alias), std::move(room));
}

Task<Result<>> RoomService::delete_alias(Sender user, RoomAlias alias) {
  return impl_->aliases.remove(std::move(user), std::move(alias));
}

Task<Result<>> RoomService::set_published(Sender user, RoomId room, bool published) {
  return impl_->aliases.set_published(std::move(user), std::move(room), published);
}

Task<Result<ResolvedAlias>> RoomService::resolve_alias(RoomAlias alias) {
  return impl_->aliases.resolve(std::move(alias));
}

Task<Result<>> RoomService::backfill(RoomInfoPtr room, OrderKey before, std::size_t limit) {
  return impl_->backfiller.backfill(std::move(room), before, limit);
}

Task<std::vector<ReceiveOutcome>> RoomService::receive(ServerName origin, RoomId room,
                                                       std::vector<VerifiedEvent> events) {
  std::vector<Inbound> inbound;
  for (const VerifiedEvent& event : events)
    inbound.push_back(Inbound::of(event));
  return impl_->receiver.receive(std::move(origin), std::move(room), std::move(inbound));
}

Task<ReceiveOutcome> RoomService::receive(ServerName origin, VerifiedEvent event) {
  return impl_->receiver.receive(std::move(origin), Inbound::of(event));
}

Task<ReceiveOutcome> RoomService::receive_with_state(ServerName origin, VerifiedEvent event,
                                                     std::vector<ToldState> told) {
  auto inbound = Inbound::of(event);
  inbound.told = std::move(told);
  return impl_->receiver.receive(std::move(origin), std::move(inbound));
}

Task<bool> RoomService::wait_for_join(RoomId room) {
  return impl_->receiver.wait_for_join(std::move(room));
}

Task<std::vector<EventId>> RoomService::add_outliers(RoomId room, const RoomVersion* version,
                                                     std::vector<VerifiedEvent> events) {
  return impl_->outliers.add(std::move(room), version, std::move(events));
}

Task<Result<std::vector<EventId>>> RoomService::fetch_state(RoomInfoPtr room, EventId before, ServerName from) {
  return impl_->fetcher.fetch(std::move(room), std::move(before), std::move(from));
}

Task<Result<EventTemplate>> RoomService::make_membership_template(RoomId room, UserId user, std::string membership,
                                                                  std::vector<std::string> supported_versions) {
  return impl_->peers.make_template(std::move(room), std::move(user), std::move(membership),
                                    std::move(supported_versions));
}

Task<Result<JoinReply>> RoomService::accept_join(ServerName origin, VerifiedEvent join) {
  return impl_->peers.accept_join(std::move(origin), std::move(join));
}

Task<Result<>> RoomService::accept_leave(ServerName origin, VerifiedEvent leave) {
  return impl_->peers.accept_leave(std::move(origin), std::move(leave));
}

Task<Result<EventPtr>> RoomService::accept_invite(ServerName origin, VerifiedEvent invite,
                                                  boost::json::array stripped_state) {
  return impl_->invites_from_peers.accept(std::move(origin), std::move(invite), std::move(stripped_state));
}

Task<ReceiveOutcome> RoomService::receive_withdrawal(ServerName origin, VerifiedEvent withdrawal) {
  return impl_->withdrawals.receive(std::move(origin), std::move(withdrawal));
}

Task<std::size_t> RoomService::purge_forgotten_rooms(std::chrono::milliseconds retention) {
  return impl_->purger.purge_forgotten(retention);
}

Task<> RoomService::delete_old_transactions(std::chrono::milliseconds retention) {
  return impl_->transactions.delete_older_than(retention);
}

Task<> RoomService::drain() {
  return impl_->heads.drain();
}

}  // namespace causeway
