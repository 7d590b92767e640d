#include "homeserver/sync/sent_members.hpp"

#include "homeserver/runtime/memory_use.hpp"

namespace causeway {

namespace {
constexpr std::size_t map_bytes = 64;  // a hash map without its nodes
constexpr std::size_t device_bytes = 2 * map_bytes + 3 * node_bytes;
constexpr std::size_t room_bytes = map_bytes + 2 * node_bytes;
}  // namespace

std::size_t SentMembers::bytes_of(const std::string& user) {
  return sizeof(user) + node_bytes + heap_bytes(user);
}

bool SentMembers::knows(DeviceNid device, RoomNid room, const std::string& user, StreamPosition since) const {
  auto found = devices_.find(device);
  if (found == devices_.end()) return false;
  auto in_room = found->second.rooms.find(room);
  if (in_room == found->second.rooms.end()) return false;
  auto member = in_room->second.find(user);
  return member != in_room->second.end() && member->second <= since;
}

void SentMembers::sent(DeviceNid device, RoomNid room, const std::string& user, StreamPosition next_batch) {
  if (device == DeviceNid{}) return;
  Device& known = touch(device);
  if (known.bytes + bytes_of(user) + room_bytes > max_bytes_each_) forget_rooms(known);
  const auto [members, is_new_room] = known.rooms.try_emplace(room);
  if (is_new_room) add(known, room_bytes);
  // A reply that repeats what an earlier one told does not make it less known.
  if (members->second.emplace(user, next_batch).second) add(known, bytes_of(user));
  while (bytes_ > max_bytes_ && by_use_.size() > 1)
    forget(DeviceNid{by_use_.back()});
}

void SentMembers::add(Device& device, std::size_t bytes) {
  device.bytes += bytes;
  bytes_ += bytes;
}

void SentMembers::forget_rooms(Device& device) {
  bytes_ -= device.bytes - device_bytes;
  device.bytes = device_bytes;
  device.rooms.clear();
}

void SentMembers::forget(DeviceNid device) {
  auto found = devices_.find(device);
  if (found == devices_.end()) return;
  bytes_ -= found->second.bytes;
  by_use_.erase(found->second.used);
  devices_.erase(found);
}

void SentMembers::forget(DeviceNid device, RoomNid room) {
  auto found = devices_.find(device);
  if (found == devices_.end()) return;
  auto in_room = found->second.rooms.find(room);
  if (in_room == found->second.rooms.end()) return;
  std::size_t bytes = room_bytes;
  for (const auto& [user, told] : in_room->second)
    bytes += bytes_of(user);
  found->second.bytes -= bytes;
  bytes_ -= bytes;
  found->second.rooms.erase(in_room);
}

SentMembers::Device& SentMembers::touch(DeviceNid device) {
  auto [at, is_new] = devices_.try_emplace(device);
  if (is_new) {
    at->second.used = by_use_.insert(by_use_.begin(), device);
    add(at->second, device_bytes);
  } else {
    by_use_.splice(by_use_.begin(), by_use_, at->second.used);
  }
  return at->second;
}

}  // namespace causeway
