// Which members a device was told of already, so that lazy loading does not repeat them.
//
// spec: client-server-api#lazy-loading-room-members. Forgetting is always right: the member is sent once more.
#pragma once

#include <list>
#include <string>
#include <unordered_map>

#include "schema/matrix/ids.hpp"

namespace causeway {

// Reactor thread only, bounded.
class SentMembers {
 public:
  explicit SentMembers(std::size_t max_devices = 10'000, std::size_t max_members_each = 20'000)
      : max_devices_(max_devices), max_members_each_(max_members_each) {}

  // Told in a reply that the device has seen: it comes back with a token `since` of that reply or a later one.
  bool knows(DeviceNid device, RoomNid room, const std::string& user, StreamPosition since) const;
  // `next_batch`: the position of the reply that tells it.
  void sent(DeviceNid device, RoomNid room, const std::string& user, StreamPosition next_batch);
  void forget(DeviceNid device);
  void forget(DeviceNid device, RoomNid room);

 private:
  struct Device {
    std::unordered_map<RoomNid, std::unordered_map<std::string, StreamPosition>> rooms;
    std::size_t members = 0;
    std::list<DeviceNid>::iterator used;
  };
  Device& touch(DeviceNid device);

  std::size_t max_devices_, max_members_each_;
  std::unordered_map<DeviceNid, Device> devices_;
  std::list<DeviceNid> by_use_;  // the latest first
};

}  // namespace causeway
