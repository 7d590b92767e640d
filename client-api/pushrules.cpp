#include "client-api/endpoint_tables.hpp"
#include "homeserver/accounts/push_rules.hpp"

namespace causeway::client_api {

namespace {

using namespace http;

Task<boost::json::object> rules_of_requester(ClientApi& api, const Request& request) {
  co_return co_await api.accounts.push_rules(request.requester->user_nid, request.requester->user);
}

// spec: client-server-api#get_matrixclientv3pushrules
Task<Result<Response>> get_push_rules(ClientApi& api, Request& request) {
  const auto rules = co_await rules_of_requester(api, request);
  co_return Response::json(rules);
}

// spec: client-server-api#get_matrixclientv3pushrulesglobal
Task<Result<Response>> get_push_rules_global(ClientApi& api, Request& request) {
  const auto rules = co_await rules_of_requester(api, request);
  co_return Response::json(rules.at("global").as_object());
}

// The rule that {kind} and {ruleId} of the path name.
Task<Result<boost::json::object>> rule_in_path(ClientApi& api, Request& request) {
  const auto rules = co_await rules_of_requester(api, request);
  const auto* rule = find_push_rule(rules, request.path_parameter(0), request.path_parameter(1));
  if (!rule) co_return make_error(ErrorCode::not_found, "There is no such push rule.");
  co_return *rule;
}

// spec: client-server-api#get_matrixclientv3pushrulesglobalkindruleid
Task<Result<Response>> get_push_rule(ClientApi& api, Request& request) {
  const auto rule = co_await rule_in_path(api, request);
  if (!rule) co_return rule.error();
  co_return Response::json(*rule);
}

Task<Result<Response>> get_member(ClientApi& api, Request& request, std::string key) {
  const auto rule = co_await rule_in_path(api, request);
  if (!rule) co_return rule.error();
  co_return Response::json({{key, rule->at(key)}});
}

// spec: client-server-api#get_matrixclientv3pushrulesglobalkindruleidenabled
Task<Result<Response>> is_push_rule_enabled(ClientApi& api, Request& request) {
  return get_member(api, request, "enabled");
}

// spec: client-server-api#get_matrixclientv3pushrulesglobalkindruleidactions
Task<Result<Response>> get_push_rule_actions(ClientApi& api, Request& request) {
  return get_member(api, request, "actions");
}

constexpr Endpoint endpoints[] = {
    {Verb::get, "/_matrix/client/v3/pushrules/", "getPushRules", Auth::access_token, RateClass::read, 0,
     get_push_rules},
    {Verb::get, "/_matrix/client/v3/pushrules/global/", "getPushRulesGlobal", Auth::access_token, RateClass::read, 0,
     get_push_rules_global},
    {Verb::get, "/_matrix/client/v3/pushrules/global/{kind}/{ruleId}", "getPushRule", Auth::access_token,
     RateClass::read, 0, get_push_rule},
    {Verb::get, "/_matrix/client/v3/pushrules/global/{kind}/{ruleId}/enabled", "isPushRuleEnabled", Auth::access_token,
     RateClass::read, 0, is_push_rule_enabled},
    {Verb::get, "/_matrix/client/v3/pushrules/global/{kind}/{ruleId}/actions", "getPushRuleActions", Auth::access_token,
     RateClass::read, 0, get_push_rule_actions},
};

}  // namespace

EndpointTable pushrules_endpoints() {
  return endpoints;
}

}  // namespace causeway::client_api
