#include "client-api/endpoint_tables.hpp"
#include "client-api/room_requests.hpp"

namespace causeway::client_api {

namespace {

using namespace http;

std::vector<UserId> read_invite(RequestFields& fields) {
  std::vector<UserId> invited;
  const auto* list = fields.optional_array("invite");
  if (!list) return invited;
  for (const auto& element : *list) {
    auto user = UserId::parse(element.is_string() ? std::string_view(element.get_string()) : std::string_view());
    const auto code = element.is_string() ? ErrorCode::invalid_param : ErrorCode::bad_json;
    if (!user) fields.fail(make_error(code, "'invite' must hold user IDs."));
    if (!user) return invited;
    invited.push_back(std::move(*user));
  }
  return invited;
}

CreateRoom read_create_room(RequestFields& fields, const Requester& requester, const Settings& settings) {
  CreateRoom room;
  room.creator = Sender::of(requester);
  room.published = read_published(fields, false);
  room.invite = read_invite(fields);
  room.version = fields.optional_string("room_version").value_or(settings.default_room_version);
  room.preset = fields.optional_string("preset").value_or("");
  room.name = fields.optional_string("name");
  room.topic = fields.optional_string("topic");
  room.alias_localpart = fields.optional_string("room_alias_name");
  if (const auto* content = fields.optional_object("creation_content")) room.creation_content = *content;
  if (const auto* levels = fields.optional_object("power_level_content_override")) room.power_level_override = *levels;
  if (const auto* state = fields.optional_array("initial_state")) room.initial_state = *state;
  room.is_direct = fields.optional_bool("is_direct").value_or(false);
  const auto* third_party_invites = fields.optional_array("invite_3pid");
  if (third_party_invites && !third_party_invites->empty())
    fields.fail(make_error(ErrorCode::forbidden, "This server does not invite by third-party identifiers."));
  return room;
}

// spec: client-server-api#post_matrixclientv3createroom
Task<Result<Response>> create_room(ClientApi& api, Request& request) {
  RequestFields fields(request);
  fields.read_body();
  auto room = read_create_room(fields, *request.requester, api.settings);
  if (fields.error()) co_return *fields.error();
  if (room.published && !may_publish(api, request)) co_return may_not_publish();
  const auto created = co_await api.rooms.create_room(std::move(room));
  if (!created) co_return created.error();
  co_return Response::json({{"room_id", created->str()}});
}

constexpr Endpoint endpoints[] = {
    {Verb::post, "/_matrix/client/v3/createRoom", "createRoom", Auth::access_token, RateClass::write, 1024 * kib,
     create_room, remote_work},
};

}  // namespace

EndpointTable create_room_endpoints() {
  return endpoints;
}

}  // namespace causeway::client_api
