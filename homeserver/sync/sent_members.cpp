#include "homeserver/sync/sent_members.hpp"

namespace causeway {

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
  if (known.members >= max_members_each_) {
    known.rooms.clear();
    known.members = 0;
  }
  // A reply that repeats what an earlier one told does not make it less known.
  if (known.rooms[room].emplace(user, next_batch).second) ++known.members;
}

void SentMembers::forget(DeviceNid device) {
  auto found = devices_.find(device);
  if (found == devices_.end()) return;
  by_use_.erase(found->second.used);
  devices_.erase(found);
}

void SentMembers::forget(DeviceNid device, RoomNid room) {
  auto found = devices_.find(device);
  if (found == devices_.end()) return;
  auto in_room = found->second.rooms.find(room);
  if (in_room == found->second.rooms.end()) return;
  found->second.members -= in_room->second.size();
  found->second.rooms.erase(in_room);
}

SentMembers::Device& SentMembers::touch(DeviceNid device) {
  auto [at, is_new] = devices_.try_emplace(device);
  if (is_new) {
    at->second.used = by_use_.insert(by_use_.begin(), device);
    if (devices_.size() > max_devices_) forget(by_use_.back());
  } else {
    by_use_.splice(by_use_.begin(), by_use_, at->second.used);
  }
  return at->second;
}

}  // namespace causeway
