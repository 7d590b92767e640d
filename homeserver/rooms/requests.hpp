// What local users ask of rooms.
#pragma once

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <optional>
#include <string>
#include <vector>

#include "homeserver/accounts/requester.hpp"
#include "schema/db/tables/enums.hpp"
#include "schema/events/room_version.hpp"
#include "schema/matrix/ids.hpp"

namespace causeway {

// Who sends, and the client's transaction for idempotency: scope is the device and the request's path.
struct Sender {
  UserNid nid{};
  UserId user;
  DeviceNid device{};  // 0: no device (admin, internal)
  static Sender of(const Requester& requester) { return {requester.user_nid, requester.user, requester.device_nid}; }
};

struct SendEvent {
  Sender sender;
  RoomId room;
  std::string type;
  std::optional<std::string> state_key;
  boost::json::object content;
  std::optional<EventId> redacts;               // m.room.redaction
  std::optional<std::string> transaction_path;  // the request's path: same path and device, same event
  std::optional<Timestamp> timestamp;
  std::string transaction_id;  // the client's own, for unsigned.transaction_id
};

struct CreateRoom {
  Sender creator;
  std::string version{default_room_version};
  std::string preset;      // "" : from visibility
  bool published = false;  // visibility "public"
  std::optional<std::string> name, topic, alias_localpart;
  boost::json::object creation_content;
  boost::json::object power_level_override;
  boost::json::array initial_state;
  std::vector<UserId> invite;
  bool is_direct = false;
};

struct UpgradeRoom {
  Sender sender;
  RoomId room;
  std::string version;
  boost::json::array additional_creators;  // user IDs, for versions that know them
};

struct ChangeMembership {
  Sender sender;
  UserId target;
  RoomId room;
  db::Membership membership{};  // invite, join, leave (leave, kick, unban by state), ban
  std::optional<std::string> reason;
  std::vector<ServerName> via;  // servers to try when this server is not in the room
  bool is_direct = false;       // invites
  enum class Kind { invite, join, leave, kick, ban, unban } kind{};
};

}  // namespace causeway
