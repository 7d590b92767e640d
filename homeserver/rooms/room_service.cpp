// The face of the room service; the work is in the files that room_service_impl.hpp names.
#include "homeserver/rooms/room_service.hpp"

#include "homeserver/rooms/room_service_impl.hpp"

namespace causeway {

namespace {

constexpr std::size_t max_rooms_in_memory = 10'000;

RoomHeads::Services services_of_heads(const RoomService::Services& services) {
  return {services.database, services.writer, services.interner, services.events,
          services.states,   services.reader, services.self.name};
}

prometheus::Counter& received_counter(Metrics& metrics, const char* result) {
  return metrics.counter("received_events_total", "Events from other servers, by what became of them.",
                         {{"result", result}});
}

}  // namespace

RoomService::Impl::Impl(Services given)
    : services(given),
      heads(services_of_heads(given), max_rooms_in_memory),
      builder(heads, given.interner, given.clock, given.self),
      graphs(given.database),
      transactions(given.database),
      accepted_events(received_counter(given.metrics, "accepted")),
      soft_failed_events(received_counter(given.metrics, "soft_failed")),
      rejected_events(received_counter(given.metrics, "rejected")),
      unresolved_events(received_counter(given.metrics, "unresolved")) {}

RoomService::RoomService(Services services) : impl_(std::make_unique<Impl>(services)) {}
RoomService::~RoomService() = default;
void RoomService::set_remote(RemoteServers& remote) {
  impl_->remote = &remote;
}

Task<Result<EventId>> RoomService::send(SendEvent request) {
  return impl_->send(std::move(request));
}

Task<Result<RoomId>> RoomService::create_room(CreateRoom request) {
  return impl_->create_room(std::move(request));
}

Task<Result<RoomId>> RoomService::upgrade_room(UpgradeRoom request) {
  return impl_->upgrade_room(std::move(request));
}

Task<Result<>> RoomService::change_membership(ChangeMembership request) {
  return impl_->change_membership(std::move(request));
}

Task<Result<>> RoomService::forget(Sender user, RoomId room) {
  return impl_->forget(std::move(user), std::move(room));
}

Task<> RoomService::update_profile_in_rooms(Sender user, std::optional<std::string> display_name,
                                            std::optional<std::string> avatar_url) {
  return impl_->update_profile_in_rooms(std::move(user), std::move(display_name), std::move(avatar_url));
}

Task<Result<>> RoomService::create_alias(Sender user, RoomAlias alias, RoomId room) {
  return impl_->create_alias(std::move(user), std::move(alias), std::move(room));
}

Task<Result<>> RoomService::delete_alias(Sender user, RoomAlias alias) {
  return impl_->delete_alias(std::move(user), std::move(alias));
}

Task<Result<>> RoomService::set_published(Sender user, RoomId room, bool published) {
  return impl_->set_published(std::move(user), std::move(room), published);
}

Task<Result<ResolvedAlias>> RoomService::resolve_alias(RoomAlias alias) {
  return impl_->resolve_alias(std::move(alias));
}

Task<Result<>> RoomService::backfill(RoomInfoPtr room, OrderKey before, std::size_t limit) {
  return impl_->backfill(std::move(room), before, limit);
}

Task<std::vector<ReceiveOutcome>> RoomService::receive(ServerName origin, RoomId room,
                                                       std::vector<VerifiedEvent> events) {
  std::vector<Impl::Inbound> inbound;
  for (const VerifiedEvent& event : events)
    inbound.push_back(Impl::Inbound::of(event));
  return impl_->receive(std::move(origin), std::move(room), std::move(inbound));
}

Task<ReceiveOutcome> RoomService::receive(ServerName origin, VerifiedEvent event) {
  RoomId room = event.event()->room_id();
  std::vector<VerifiedEvent> one;
  one.push_back(std::move(event));
  auto outcomes = co_await receive(std::move(origin), std::move(room), std::move(one));
  co_return std::move(outcomes.front());
}

Task<ReceiveOutcome> RoomService::receive_with_state(ServerName origin, VerifiedEvent event,
                                                     std::vector<ToldState> told) {
  RoomId room = event.event()->room_id();
  std::vector<Impl::Inbound> one;
  one.push_back(Impl::Inbound::of(event));
  one.front().told = std::move(told);
  auto outcomes = co_await impl_->receive(std::move(origin), std::move(room), std::move(one));
  co_return std::move(outcomes.front());
}

Task<bool> RoomService::wait_for_join(RoomId room) {
  return impl_->wait_for_join(std::move(room));
}

Task<std::vector<EventId>> RoomService::add_outliers(RoomId room, const RoomVersion* version,
                                                     std::vector<VerifiedEvent> events) {
  return impl_->add_outliers(std::move(room), version, std::move(events));
}

Task<Result<std::vector<EventId>>> RoomService::fetch_state(RoomInfoPtr room, EventId before, ServerName from) {
  return impl_->fetch_state(std::move(room), std::move(before), std::move(from));
}

Task<Result<EventTemplate>> RoomService::make_membership_template(RoomId room, UserId user,
                                                                          std::string membership,
                                                                          std::vector<std::string> supported_versions) {
  return impl_->make_membership_template(std::move(room), std::move(user), std::move(membership),
                                         std::move(supported_versions));
}

Task<Result<JoinReply>> RoomService::accept_join(ServerName origin, VerifiedEvent join) {
  return impl_->accept_join(std::move(origin), std::move(join));
}

Task<Result<>> RoomService::accept_leave(ServerName origin, VerifiedEvent leave) {
  return impl_->accept_leave(std::move(origin), std::move(leave));
}

Task<Result<EventPtr>> RoomService::accept_invite(ServerName origin, VerifiedEvent invite,
                                                  boost::json::array stripped_state) {
  return impl_->accept_invite(std::move(origin), std::move(invite), std::move(stripped_state));
}

Task<ReceiveOutcome> RoomService::receive_withdrawal(ServerName origin, VerifiedEvent withdrawal) {
  return impl_->receive_withdrawal(std::move(origin), std::move(withdrawal));
}

Task<std::size_t> RoomService::purge_forgotten_rooms(std::chrono::milliseconds retention) {
  return impl_->purge_forgotten_rooms(retention);
}

Task<> RoomService::delete_old_transactions(std::chrono::milliseconds retention) {
  return impl_->transactions.delete_older_than(retention);
}

Task<> RoomService::drain() {
  return impl_->heads.drain();
}

}  // namespace causeway
