#include "client-api/endpoint_tables.hpp"

namespace causeway::client_api {

namespace {

using namespace http;

// spec: client-server-api#get_matrixclientv3joined_rooms
Task<Result<Response>> get_joined_rooms(ClientApi& api, Request& request) {
  const auto memberships = co_await api.reader.memberships(request.requester->user_nid);
  std::vector<RoomNid> nids;
  for (const RoomMembership& membership : *memberships)
    if (membership.membership == db::Membership::join) nids.push_back(membership.room);
  const auto rooms = co_await api.reader.rooms(std::move(nids));
  boost::json::array joined;
  for (const RoomInfoPtr& room : rooms)
    if (room) joined.emplace_back(room->id.str());
  co_return Response::json({{"joined_rooms", std::move(joined)}});
}

constexpr Endpoint endpoints[] = {
    {Verb::get, "/_matrix/client/v3/joined_rooms", "getJoinedRooms", Auth::access_token, RateClass::read, 0,
     get_joined_rooms},
};

}  // namespace

EndpointTable list_joined_rooms_endpoints() {
  return endpoints;
}

}  // namespace causeway::client_api
