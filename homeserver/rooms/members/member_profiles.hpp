// The profiles of local users as their rooms show them.
#pragma once

#include <boost/json/object.hpp>
#include <cstdint>
#include <optional>
#include <string>

#include "homeserver/rooms/requests.hpp"
#include "homeserver/rooms/sending/lane_writer.hpp"

namespace causeway {

class MemberProfiles {
 public:
  MemberProfiles(db::Database& database, RoomReader& reader, RoomHeads& heads, LaneWriter& lane,
                 const LocalServer& self)
      : database_(database), reader_(reader), heads_(heads), lane_(lane), self_(self) {}

  // Puts a local user's profile into the content of a member event.
  Task<> add(boost::json::object& content, UserId user);
  // The new profile, in every joined room. Best effort, room by room.
  Task<> update(Sender user, std::optional<std::string> display_name, std::optional<std::string> avatar_url);

  // A change that began after a join read the profile, and ended before the join was committed, has not reached it.
  // changes() is of any user; catch_up() takes over what the profile has become since there were `seen`.
  std::uint64_t changes() const { return changes_; }
  Task<> catch_up(Sender user, RoomId joined, std::uint64_t seen);

 private:
  Task<> update_in_room(Sender user, RoomMembership membership, boost::json::object profile);

  db::Database& database_;
  RoomReader& reader_;
  RoomHeads& heads_;
  LaneWriter& lane_;
  const LocalServer& self_;
  std::uint64_t changes_ = 0;
};

}  // namespace causeway
