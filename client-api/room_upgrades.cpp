#include "client-api/endpoint_tables.hpp"
#include "client-api/room_requests.hpp"

namespace causeway::client_api {

namespace {

using namespace http;

// spec: client-server-api#post_matrixclientv3roomsroomidupgrade
Task<Result<Response>> upgrade_room(ClientApi& api, Request& request) {
  auto room_id = room_id_parameter(request);
  if (!room_id) co_return room_id.error();
  const auto body = request.json_object();
  if (!body) co_return body.error();
  auto version = json::required_string(*body, "new_version");
  if (!version) co_return version.error();
  const auto creators = json::optional_array(*body, "additional_creators");
  if (!creators) co_return creators.error();
  UpgradeRoom upgrade;
  upgrade.sender = Sender::of(*request.requester);
  upgrade.room = std::move(*room_id);
  upgrade.version = std::move(*version);
  if (*creators) upgrade.additional_creators = **creators;
  const auto made = co_await api.rooms.upgrade_room(std::move(upgrade));
  if (!made) co_return made.error();
  co_return Response::json({{"replacement_room", made->str()}});
}

constexpr Endpoint endpoints[] = {
    {Verb::post, "/_matrix/client/v3/rooms/{roomId}/upgrade", "upgradeRoom", Auth::access_token, RateClass::write,
     64 * kib, upgrade_room, remote_work},
};

}  // namespace

EndpointTable room_upgrades_endpoints() {
  return endpoints;
}

}  // namespace causeway::client_api
