// The timelines in a reply: of each room the newest events the client has not seen, in order of arrival.
#pragma once

#include <unordered_set>
#include <vector>

#include "homeserver/sync/room_part.hpp"
#include "homeserver/sync/sync_services.hpp"
#include "homeserver/sync/sync_span.hpp"

namespace causeway {

class Timelines {
 public:
  Timelines(const SyncServices& services, const SyncSpan& span, ReplyCost& cost)
      : s_(services), span_(span), cost_(cost) {}

  // Fills them; over budget in part.
  Task<> read(std::vector<RoomPart>& rooms);
  // Leaves out what the user may not see. After the whole states were read: they tell whether all of it may be seen.
  Task<> keep_visible(std::vector<RoomPart>& rooms);

 private:
  struct Reading;
  Task<> read_pages(std::vector<Reading> open, std::size_t limit);
  void finish(Reading& reading, std::size_t limit) const;
  bool unfiltered() const;
  bool wants(const StoredEvent& event) const;
  bool visibility_holds(const RoomPart& part) const;
  Task<std::unordered_set<RoomNid>> open_to_members(const std::vector<RoomPart>& rooms);

  const SyncServices& s_;
  const SyncSpan& span_;
  ReplyCost& cost_;
};

}  // namespace causeway
