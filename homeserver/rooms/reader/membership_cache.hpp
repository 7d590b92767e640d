// Which rooms a local user has to do with.
#pragma once

#include "homeserver/rooms/reader/room_reader.hpp"
#include "homeserver/runtime/loading_cache.hpp"
#include "homeserver/stream/committed.hpp"

namespace causeway {

class MembershipCache {
 public:
  using List = std::vector<RoomMembership>;  // by room; forgotten ones are not in it

  explicit MembershipCache(db::Database& database);

  Task<std::shared_ptr<const List>> of_user(UserNid user);
  Task<std::optional<RoomMembership>> find(UserNid user, RoomNid room);
  void committed(const Committed& facts);
  void forget(UserNid user) { users_.drop(user); }

 private:
  Task<std::shared_ptr<List>> load(UserNid user);

  db::Database& database_;
  LoadingCache<UserNid, List> users_;
};

}  // namespace causeway
