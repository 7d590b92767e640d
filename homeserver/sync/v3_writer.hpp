// What was found to tell, as the reply of /v3/sync.
#pragma once

#include <string>
#include <string_view>

#include "homeserver/sync/sync_builder.hpp"
#include "homeserver/sync/sync_request.hpp"

namespace causeway {

class V3Writer {
 public:
  V3Writer(const SyncServices& services, const SyncRequest& request, const SyncBuilder& built);

  // JSON text. Also of what is empty: the token, and what is always told.
  Task<std::string> write();

 private:
  Task<> write_rooms(std::string& out);
  Task<> write_room(std::string& out, const RoomPart& part);
  Task<> write_state(std::string& out, std::string_view key, const RoomPart& part);
  Task<> write_timeline(std::string& out, const RoomPart& part);
  std::string state_event(const Event& event) const;

  const SyncServices& s_;
  const SyncRequest& request_;
  const SyncBuilder& built_;
  const SyncSpan& span_;
  TimeSlice slice_;
};

}  // namespace causeway
