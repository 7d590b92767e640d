// A server's rooms on a database of their own; several in one test make a federation without HTTP.
#pragma once

#include "homeserver/rooms/room_service.hpp"
#include "homeserver/runtime/metrics.hpp"
#include "homeserver/stream/stream_hub.hpp"
#include "homeserver/test/support/run_task.hpp"
#include "schema/test/support/test_database.hpp"

namespace causeway {

// Takes events as checked by federation.
class TestVerifiedEvents {
 public:
  static VerifiedEvent of(EventPtr event, bool hash_mismatch = false) {
    return VerifiedEvent(std::move(event), hash_mismatch);
  }
  static std::vector<VerifiedEvent> of(const std::vector<StoredEventPtr>& events) {
    std::vector<VerifiedEvent> verified;
    for (const auto& event : events)
      verified.push_back(of(event->event));
    return verified;
  }
};

}  // namespace causeway

namespace causeway::test {

class RoomsKit;

// The other servers of a test, called directly.
class DirectRemote : public RemoteServers {
 public:
  explicit DirectRemote(RoomsKit& self) : self_(self) {}
  void add(RoomsKit& other);
  // What happens between the other server's acceptance of a leave and its answer.
  std::function<Task<>()> during_leave;

  Task<Result<RemoteJoin>> join(MembershipTemplate membership, std::vector<ServerName> via) override;
  Task<Result<EventPtr>> leave(MembershipTemplate membership, std::vector<ServerName> via) override;
  Task<Result<EventPtr>> invite(EventPtr invite, std::vector<EventPtr> stripped_state, ServerName server) override;
  Task<Result<ResolvedAlias>> resolve_alias(RoomAlias alias) override;
  Task<Result<boost::json::object>> profile(UserId user) override;
  Task<Result<std::vector<VerifiedEvent>>> backfill(RoomId room, const RoomVersion* version, std::vector<EventId> from,
                                                    std::size_t limit, std::vector<ServerName> via) override;
  Task<Result<StateIds>> state_ids(RoomId room, EventId at, ServerName from) override;
  Task<Result<State>> state(RoomId room, const RoomVersion* version, EventId at, ServerName from) override;
  Task<Result<std::vector<VerifiedEvent>>> events(RoomId room, const RoomVersion* version, std::vector<EventId> ids,
                                                  ServerName from) override;

 private:
  RoomsKit& other(const ServerName& name);
  // A membership event of ours on a peer's template.
  Task<Result<EventPtr>> draw_up(RoomsKit& resident, MembershipTemplate membership);
  RoomsKit& self_;
  std::map<std::string, RoomsKit*> others_;
};

class RoomsKit {
 public:
  explicit RoomsKit(asio::io_context& reactor, const std::string& server_name = "here.example");

  template <class T>
  T run(Task<T> task) {
    return run_task(reactor, std::move(task));
  }
  void run(Task<> task) { run_task(reactor, std::move(task)); }

  Sender user(const std::string& localpart);
  // What a process that starts on this database would have.
  void restart();
  void execute(const std::string& sql);  // beside the server
  // From the next start on.
  void set_bounds(ResolutionBounds bounds) { bounds_ = bounds; }
  void set_event_limits(EventStore::Limits limits) { event_limits_ = limits; }

  RoomId create_room(const Sender& creator, CreateRoom request = {});
  RoomId create_public_room(const Sender& creator, std::string version = std::string(default_room_version));
  Result<EventId> send(const Sender& sender, const RoomId& room, const std::string& text,
                       std::optional<std::string> transaction = {});
  Result<EventId> set_state(const Sender& sender, const RoomId& room, const std::string& type,
                            const std::string& state_key, boost::json::object content);
  Result<> change(ChangeMembership::Kind kind, const Sender& sender, const UserId& target, const RoomId& room,
                  std::vector<ServerName> via = {});
  Result<> join(const Sender& user, const RoomId& room, std::vector<ServerName> via = {}) {
    return change(ChangeMembership::Kind::join, user, user.user, room, std::move(via));
  }

  RoomInfoPtr room(const RoomId& id) { return run(reader->room(id)); }
  // The current state by "type|state_key".
  std::map<std::string, EventPtr> state(const RoomId& id);
  std::string membership(const RoomId& room, const UserId& user);
  std::vector<StoredEventPtr> timeline(const RoomId& id);  // shown events, ascending
  StoredEventPtr event(const EventId& id) { return run(events->by_id(id)); }
  ReceiveOutcome receive(const ServerName& origin, EventPtr event) {
    return run(rooms->receive(origin, TestVerifiedEvents::of(std::move(event))));
  }
  // An event of this server's user, signed but sent nowhere.
  EventPtr make_event(EventDraft draft) { return build_event(std::move(draft), self.name, self.key).value(); }
  // What another server drew up, dated, hashed and signed by this one.
  EventPtr sealed(boost::json::object pdu, const RoomVersion& version);

 private:
  TestDatabase database_;
  ResolutionBounds bounds_;
  EventStore::Limits event_limits_;
  void start();
  static db::Settings settings_of(const TestDatabase& database);

 public:
  asio::io_context& reactor;
  ManualClock clock;
  Metrics metrics;
  LocalServer self;
  CpuPool cpu{1};
  UserLanes user_lanes{max_waiting_for_user};
  std::unique_ptr<db::Database> database;
  std::unique_ptr<StreamHub> hub;
  std::unique_ptr<EventWriter> writer;
  std::unique_ptr<Interner> interner;
  std::unique_ptr<EventStore> events;
  std::unique_ptr<StateStore> states;
  std::unique_ptr<RoomReader> reader;
  std::unique_ptr<RoomService> rooms;
  DirectRemote remote{*this};
};

}  // namespace causeway::test
