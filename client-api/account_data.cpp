#include "client-api/endpoint_tables.hpp"
#include "client-api/own_user.hpp"

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

// The room in the path, if the requester has anything to do with it; `otherwise` if not.
Task<Result<RoomNid>> own_room(ClientApi& api, Request& request, MatrixError otherwise) {
  const auto id = RoomId::parse(request.path_parameter(1));
  if (!id) co_return make_error(ErrorCode::invalid_param, "This is not a room ID.");
  const RoomInfoPtr room = co_await api.reader.room(*id);
  if (!room) co_return otherwise;
  const auto membership = co_await api.reader.membership(request.requester->user_nid, room->nid);
  if (!membership) co_return otherwise;
  co_return room->nid;
}

Task<Result<Response>> put_data(ClientApi& api, Request& request, RoomNid room, std::string type) {
  const auto may = check_client_may_set(type);
  if (may.has_error()) co_return may.error();
  auto content = request.json_object();
  if (!content) co_return content.error();
  const auto set =
      co_await api.accounts.set_account_data(request.requester->user_nid, room, std::move(type), std::move(*content));
  if (set.has_error()) co_return set.error();
  co_return Response::empty_object();
}

// spec: client-server-api#put_matrixclientv3useruseridaccount_datatype
Task<Result<Response>> set_account_data(ClientApi& api, Request& request) {
  const auto own = require_own_user(request);
  if (own.has_error()) co_return own.error();
  co_return co_await put_data(api, request, RoomNid{}, request.path_parameter(1));
}

// spec: client-server-api#get_matrixclientv3useruseridaccount_datatype
Task<Result<Response>> get_account_data(ClientApi& api, Request& request) {
  const auto own = require_own_user(request);
  if (own.has_error()) co_return own.error();
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
  const auto own = require_own_user(request);
  if (own.has_error()) co_return own.error();
  MatrixError stranger = make_error(ErrorCode::forbidden, "You have never been in this room.");
  const auto room = co_await own_room(api, request, std::move(stranger));
  if (!room) co_return room.error();
  co_return co_await put_data(api, request, *room, request.path_parameter(2));
}

// spec: client-server-api#get_matrixclientv3useruseridroomsroomidaccount_datatype
Task<Result<Response>> get_account_data_per_room(ClientApi& api, Request& request) {
  const auto own = require_own_user(request);
  if (own.has_error()) co_return own.error();
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
