#include "homeserver/rooms/members/servers_to_try.hpp"

#include <algorithm>

namespace causeway {

Task<std::vector<ServerName>> servers_to_try(RoomReader& reader, EventStore& events, ServerName self,
                                             const ChangeMembership& request, RoomInfoPtr room) {
  std::vector<ServerName> servers;
  const auto add = [&](ServerName server) {
    if (server.empty() || server == self || std::ranges::find(servers, server) != servers.end()) return;
    servers.push_back(std::move(server));
  };
  for (const auto& server : request.via)
    add(server);
  if (room) {
    auto membership = co_await reader.membership(request.sender.nid, room->nid);
    if (membership) {
      std::vector<EventNid> nids(1, membership->event);
      auto invites = co_await events.by_nid(std::move(nids));
      if (invites.front()) add(invites.front()->event->sender().server_name());
    }
    // As far as is known: of a room that all have left here, who was in it then.
    auto members = co_await reader.members(room->nid);
    for (const auto& server : members->joined_servers)
      add(server);
  }
  auto of_room = ServerName::parse(request.room.server());
  if (of_room) add(std::move(*of_room));
  co_return servers;
}

}  // namespace causeway
