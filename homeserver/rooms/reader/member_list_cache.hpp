// Who is in a room now: its member events, all of them.
#pragma once

#include <unordered_map>

#include "homeserver/rooms/reader/room_reader.hpp"
#include "homeserver/runtime/loading_cache.hpp"
#include "homeserver/stream/committed.hpp"

namespace causeway {

class MemberListCache {
 public:
  MemberListCache(db::Database& database, Interner& interner);

  using MembersPtr = std::shared_ptr<const RoomReader::Members>;
  Task<MembersPtr> of_room(RoomNid room);
  Task<std::vector<MembersPtr>> of_rooms(std::vector<RoomNid> rooms);
  void committed(const Committed& facts);
  void forget(RoomNid room) { rooms_.drop(room); }

 private:
  // The list and what is needed to change it in place.
  struct Indexed {
    RoomReader::Members members;
    std::unordered_map<UserId, std::size_t> places;          // in members.all
    std::unordered_map<std::string, std::size_t> on_server;  // how many have joined from there
    std::int32_t state_version = 0;                          // of the main line
    std::size_t id_bytes = 0;                                // what the names of all hold outside themselves

    void set(RoomReader::Member member);
    void set_local(UserNid user, bool joined);
    std::size_t heap_bytes() const;

   private:
    void count(const RoomReader::Member& member, bool in);
    void count_on_server(const UserId& user, bool in);
  };
  using Loaded = std::vector<std::pair<RoomNid, std::shared_ptr<Indexed>>>;
  static Loaded read(db::Connection& connection, const std::vector<RoomNid>& rooms);
  Task<std::shared_ptr<Indexed>> load(RoomNid room);
  // False: the list has to be loaded again.
  bool apply(Indexed& indexed, const Committed& facts) const;

  db::Database& database_;
  Interner& interner_;
  LoadingCache<RoomNid, Indexed> rooms_;
};

}  // namespace causeway
