// Which members a device was told of already, so that lazy loading does not repeat them.
//
// spec: client-server-api#lazy-loading-room-members. Forgetting is always right: the member is sent once more.
#pragma once

#include <list>
#include <string>
#include <unordered_map>

#include "schema/matrix/ids.hpp"

namespace causeway {

// Reactor thread only. Bounded in bytes: a device that knows more than its part forgets all, and beyond the bound for
// all devices those that were not told anything for the longest are forgotten.
class SentMembers {
 public:
  explicit SentMembers(std::size_t max_bytes = 64 << 20, std::size_t max_bytes_each = 4 << 20)
      : max_bytes_(max_bytes), max_bytes_each_(max_bytes_each) {}

  // Told in a reply that the device has seen: it comes back with a token `since` of that reply or a later one.
  bool knows(DeviceNid device, RoomNid room, const std::string& user, StreamPosition since) const;
  // `next_batch`: the position of the reply that tells it.
  void sent(DeviceNid device, RoomNid room, const std::string& user, StreamPosition next_batch);
  void forget(DeviceNid device);
  void forget(DeviceNid device, RoomNid room);

  std::size_t bytes() const { return bytes_; }

 private:
  using Members = std::unordered_map<std::string, StreamPosition>;
  struct Device {
    std::unordered_map<RoomNid, Members> rooms;
    std::size_t bytes = 0;
    std::list<DeviceNid>::iterator used;
  };
  static std::size_t bytes_of(const std::string& user);
  Device& touch(DeviceNid device);
  void add(Device& device, std::size_t bytes);
  void forget_rooms(Device& device);

  std::size_t max_bytes_, max_bytes_each_;
  std::size_t bytes_ = 0;
  std::unordered_map<DeviceNid, Device> devices_;
  std::list<DeviceNid> by_use_;  // the latest first
};

}  // namespace causeway
