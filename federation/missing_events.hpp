// Gets one inbound event into its room although what it builds on is not here.
//
// First the events in between are asked for; where the gap is too wide, the states after those of its parents that are
// not here. Servers of the room are asked in turn until one helps. Everything is bounded: servers, rounds, events, how
// often and how long states are asked for, and how much they may hold.
#pragma once

#include <chrono>
#include <set>
#include <unordered_map>
#include <vector>

#include "federation/remote_rooms.hpp"
#include "homeserver/rooms/room_service.hpp"

namespace causeway::federation {

class MissingEvents {
 public:
  struct Services {
    EventStore& events;
    RoomService& rooms;
    RemoteRooms& remote;
  };
  // `origin` sent the event; `servers` are asked for the others, in this order. Those that can't be reached are put
  // into `silent`, and who is in it is not asked: it outlives this and may be shared by several of these.
  MissingEvents(Services services, RoomInfoPtr room, ServerName origin, std::vector<ServerName> servers,
                std::set<ServerName>& silent)
      : services_(services),
        room_(std::move(room)),
        origin_(std::move(origin)),
        servers_(std::move(servers)),
        silent_(silent) {}

  // True when the event is settled: accepted, rejected or refused. False when what it needs can't be had now.
  Task<bool> receive(VerifiedEvent event);

 private:
  // The events between the room as it is here and `event`, `event` included, oldest first.
  Task<std::vector<VerifiedEvent>> collect(VerifiedEvent event);
  Task<std::vector<VerifiedEvent>> ask_for_missing(std::vector<EventId> latest);
  Task<std::vector<EventId>> unknown(std::vector<EventId> ids);
  std::vector<ServerName> to_ask() const;
  void note(const ServerName& server, const MatrixError& error);
  Task<bool> receive_one(VerifiedEvent event);
  Task<> fetch_auth_events(EventId of, std::vector<EventId> missing, ServerName from);
  Task<bool> fetch_auth_chain(EventId of, std::vector<EventId> missing, ServerName from);
  Task<bool> receive_with_told_states(VerifiedEvent event, std::vector<EventId> missing);
  Task<> ask_about(EventId parent, ServerName server);
  // Nothing where the server does not have it or it does not pass.
  Task<std::optional<VerifiedEvent>> fetch_event(EventId id, ServerName from);
  std::vector<ToldState> told_of(const std::vector<EventId>& missing) const;
  bool may_ask();

  Services services_;
  RoomInfoPtr room_;
  ServerName origin_;
  std::vector<ServerName> servers_;
  std::set<ServerName>& silent_;
  std::unordered_map<EventId, ToldState> told_;
  std::size_t told_events_ = 0;
  std::size_t bridged_ = 0;
  std::size_t asked_ = 0;  // about missing parents
  std::chrono::steady_clock::time_point asked_first_{};
};

}  // namespace causeway::federation
