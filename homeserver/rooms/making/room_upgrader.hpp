// A room's replacement by one of another version.
//
// spec: client-server-api#room-upgrades
#pragma once

#include <set>

#include "homeserver/rooms/making/carried_state.hpp"
#include "homeserver/rooms/making/room_maker.hpp"

namespace causeway {

class RoomUpgrader {
 public:
  struct Services {
    RoomReader& reader;
    RoomHeads& heads;
    ExtremityMerger& merger;
    LaneWriter& lane;
    CarriedSettings& settings;
    RoomMaker& maker;
    const LocalServer& self;
  };
  explicit RoomUpgrader(Services services) : services_(services) {}

  // The new room; again the same one where the same user did so before and is still in it. M_FORBIDDEN,
  // M_UNSUPPORTED_ROOM_VERSION, M_LIMIT_EXCEEDED: it is under way.
  Task<Result<RoomId>> upgrade(UpgradeRoom request);

 private:
  // The same user's earlier upgrade to this version, if it is still what they want.
  Task<std::optional<RoomId>> made_before(RoomInfoPtr room, const RoomVersion& version, const UpgradeRoom& request);
  Task<Result<RoomId>> replace(const UpgradeRoom& request, const RoomVersion& version);
  // What happens in the old room goes into `unit`; the new one's events into a unit of its own.
  Task<Result<BegunRoom>> begin_replacement(RoomHead& head, WriteUnit& unit, const UpgradeRoom& request,
                                            const RoomVersion& version);
  Task<CreateRoom> replacement_for(RoomInfoPtr room, const RoomVersion& version, const UpgradeRoom& request);
  Task<CarriedAliases> carried_aliases(RoomHead& head);
  Task<Result<EventId>> append_state(RoomHead& head, WriteUnit& unit, const Sender& sender, const char* type,
                                     boost::json::object content);
  Task<> quieten(RoomHead& head, WriteUnit& unit, const Sender& sender);

  Services services_;
  std::set<std::string> under_way_;  // IDs of rooms being replaced
};

}  // namespace causeway
