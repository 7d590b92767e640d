#include "client-api/endpoint_tables.hpp"
#include "client-api/request_fields.hpp"

namespace causeway::client_api {

namespace {

using namespace http;

constexpr std::string_view push_rules_type = "m.push_rules";

// spec: client-server-api#client-config, server behaviour
Result<> check_client_may_set(const std::string& type) {
  if (type == "m.fully_read" || type == push_rules_type)
    return make_error(ErrorCode::bad_json, 405, type + " cannot be set through this API.");
  return {};
}

MatrixError never_set() {
  return make_error(ErrorCode::not_found, "There is no account data of this type.");
}

// The room in the path of a user's own data, if the requester has anything to do with it; `otherwise` if not.
Task<Result<RoomNid>> own_room(ClientApi& api, Request& request, MatrixError otherwise) {
  RequestFields fields(request);
  fields.own_user();
  auto id = fields.room_id(1);
  if (fields.error()) co_return *fields.error();
  const RoomInfoPtr room = co_await api.reader.room(std::move(id));
  if (!room) co_return otherwise;
  const auto membership = co_await api.reader.membership(request.requester->user_nid, room->nid);
  if (!membership) co_return otherwise;
  co_return room->nid;
}

Task<Result<Response>> put_data(ClientApi& api, Request& request, RoomNid room, std::string type) {
  RequestFields fields(request);
  fields.keep(check_client_may_set(type));
  fields.read_body();
  if (fields.error()) co_return *fields.error();
  const auto set =
      co_await api.accounts.set_account_data(request.requester->user_nid, room, std::move(type), fields.take());
  co_return empty_reply(set);
}

// spec: client-server-api#put_matrixclientv3useruseridaccount_datatype
Task<Result<Response>> set_account_data(ClientApi& api, Request& request) {
  RequestFields fields(request);
  fields.own_user();
  if (fields.error()) co_return *fields.error();
  co_return co_await put_data(api, request, RoomNid{}, request.path_parameter(1));
}

// spec: client-server-api#get_matrixclientv3useruseridaccount_datatype
Task<Result<Response>> get_account_data(ClientApi& api, Request& request) {
  RequestFields fields(request);
  fields.own_user();
  if (fields.error()) co_return *fields.error();
  const Requester& requester = *request.requester;
  const std::string& type = request.path_parameter(1);
  if (type == push_rules_type) {
    const auto rules = co_await api.accounts.push_rules(requester.user_nid, requester.user);
    co_return Response::json(rules);
  }
  auto content = co_await api.accounts.account_data(requester.user_nid, RoomNid{}, type);
  if (!content) co_return never_set();
  co_return Response::json_text(std::move(*content));
}

// spec: client-server-api#put_matrixclientv3useruseridroomsroomidaccount_datatype
Task<Result<Response>> set_account_data_per_room(ClientApi& api, Request& request) {
  MatrixError stranger = make_error(ErrorCode::forbidden, "You have never been in this room.");
  const auto room = co_await own_room(api, request, std::move(stranger));
  if (!room) co_return room.error();
  co_return co_await put_data(api, request, *room, request.path_parameter(2));
}

// spec: client-server-api#get_matrixclientv3useruseridroomsroomidaccount_datatype
Task<Result<Response>> get_account_data_per_room(ClientApi& api, Request& request) {
  const auto room = co_await own_room(api, request, never_set());
  if (!room) co_return room.error();
  auto content = co_await api.accounts.account_data(request.requester->user_nid, *room, request.path_parameter(2));
  if (!content) co_return never_set();
  co_return Response::json_text(std::move(*content));
}

constexpr Endpoint endpoints[] = {
    {Verb::put, "/_matrix/client/v3/user/{userId}/account_data/{type}", "setAccountData", Auth::access_token,
     RateClass::write, 1024 * kib, set_account_data},
    {Verb::get, "/_matrix/client/v3/user/{userId}/account_data/{type}", "getAccountData", Auth::access_token,
     RateClass::read, 0, get_account_data},
    {Verb::put, "/_matrix/client/v3/user/{userId}/rooms/{roomId}/account_data/{type}", "setAccountDataPerRoom",
     Auth::access_token, RateClass::write, 1024 * kib, set_account_data_per_room},
    {Verb::get, "/_matrix/client/v3/user/{userId}/rooms/{roomId}/account_data/{type}", "getAccountDataPerRoom",
     Auth::access_token, RateClass::read, 0, get_account_data_per_room},
};

}  // namespace

EndpointTable account_data_endpoints() {
  return endpoints;
}

}  // namespace causeway::client_api
