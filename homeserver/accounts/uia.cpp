#include "homeserver/accounts/uia.hpp"

#include <algorithm>
#include <ranges>

#include "homeserver/runtime/memory_use.hpp"
#include "schema/crypto/crypto.hpp"
#include "schema/json/json.hpp"

namespace causeway {

namespace {

constexpr std::size_t session_id_length = 24;

// What this call brings, added to what earlier calls of the session brought.
std::string merge(const std::string& request_json, const json::object& request) {
  if (request_json.empty()) return boost::json::serialize(request);
  json::object merged = json::parse_object(request_json).value();
  for (const auto& [key, value] : request)
    merged.insert_or_assign(key, value);
  return boost::json::serialize(merged);
}

bool begins_with(const UiaFlow& flow, const std::vector<std::string>& completed) {
  return flow.size() >= completed.size() &&
         std::ranges::equal(completed, flow | std::views::take(completed.size()), {}, {}, &UiaStage::type);
}

bool is_complete(const UiaPolicy& policy, const std::vector<std::string>& completed) {
  return std::ranges::any_of(policy.flows, [&](const UiaFlow& flow) {
    return flow.size() == completed.size() && begins_with(flow, completed);
  });
}

// The stage of this type, if it is the next of a flow whose earlier ones are completed.
UiaStage* next_stage(const UiaPolicy& policy, const std::vector<std::string>& completed, std::string_view type) {
  for (const UiaFlow& flow : policy.flows) {
    if (flow.size() > completed.size() && begins_with(flow, completed) && flow[completed.size()]->type() == type)
      return flow[completed.size()];
  }
  return nullptr;
}

}  // namespace

Task<Result<>> DummyStage::check(boost::json::object) {
  co_return Result<>();
}

Task<Result<UiaVerdict>> UiaSessions::authenticate(UiaPolicy policy, boost::json::object request) {
  const auto found = json::optional_object(request, "auth");
  if (!found) co_return found.error();
  json::object auth = *found ? **found : json::object();
  request.erase("auth");
  const auto named = json::optional_string(auth, "session");
  if (!named) co_return named.error();
  const auto type = json::optional_string(auth, "type");
  if (!type) co_return type.error();

  std::string id = named->value_or("");
  const bool known = find(id, policy.scope) != nullptr;
  if (!known) id = open(policy.scope);
  Session& mine = *find(id, policy.scope);
  std::string merged = merge(mine.request_json, request);
  if (std::max(merged.size(), boost::json::serialize(auth).size()) > settings_.max_request_bytes)
    co_return make_error(ErrorCode::too_large, "The calls of one session bring too much.");
  if (merged.size() > mine.request_json.size()) grow(mine, merged.size() - mine.request_json.size());
  mine.request_json = std::move(merged);
  if (*named && !known) {
    const MatrixError why = make_error(ErrorCode::unknown, "The session is not known or has expired. Start again.");
    co_return UiaVerdict(UiaChallenge{challenge(policy, id, &why)});
  }
  // NOTSPEC: tools register in one request, without asking for a session first.
  const bool may_try = known || (settings_.dummy_without_session && *type == "m.login.dummy");
  if (may_try && *type) {
    const auto attempted = co_await attempt(policy, id, **type, auth);
    if (attempted.has_error()) {
      const MatrixError why = attempted.error();
      co_return UiaVerdict(UiaChallenge{challenge(policy, id, &why)});
    }
  }
  const Session* session = find(id, policy.scope);
  if (!session || !is_complete(policy, session->completed))
    co_return UiaVerdict(UiaChallenge{challenge(policy, id, nullptr)});
  co_return UiaVerdict(UiaPassed{id, json::parse_object(session->request_json).value(), session->proofs});
}

Task<Result<>> UiaSessions::attempt(const UiaPolicy& policy, const std::string& id, std::string type,
                                    boost::json::object auth) {
  Session* session = find(id, policy.scope);
  // Completed stages can't be tried again: the client is told where it stands.
  if (std::ranges::find(session->completed, type) != session->completed.end()) co_return Result<>();
  UiaStage* stage = next_stage(policy, session->completed, type);
  if (!stage) co_return make_error(ErrorCode::unrecognized, "This stage does not come next in any of the flows.");
  const auto checked = co_await stage->check(auth);
  if (checked.has_error()) co_return checked.error();
  // Meanwhile the session may have gone, or another request may have moved it on.
  session = find(id, policy.scope);
  if (session && next_stage(policy, session->completed, type)) {
    session->completed.push_back(type);
    grow(*session, parsed_json_bytes(boost::json::serialize(auth)));
    session->proofs.insert_or_assign(type, std::move(auth));
  }
  co_return Result<>();
}

UiaSessions::Session* UiaSessions::find(const std::string& id, const std::string& scope) {
  const auto it = sessions_.find(id);
  if (it == sessions_.end() || it->second.scope != scope || it->second.expires <= clock_.steady()) return nullptr;
  return &it->second;
}

std::string UiaSessions::open(const std::string& scope) {
  const auto now = clock_.steady();
  while (!by_age_.empty() && (by_age_.size() >= settings_.max_sessions || by_age_.front().second <= now)) {
    erase(by_age_.front().first);
    by_age_.pop_front();
  }
  std::string id = crypto::random_token(session_id_length);
  Session& session = sessions_[id];
  session.scope = scope;
  session.expires = now + settings_.lifetime;
  by_age_.emplace_back(id, session.expires);
  grow(session, sizeof(Session) + 3 * node_bytes + 2 * heap_bytes(id) + heap_bytes(scope));
  return id;
}

void UiaSessions::grow(Session& session, std::size_t bytes) {
  session.bytes += bytes;
  bytes_ += bytes;
  while (bytes_ > settings_.max_bytes && !by_age_.empty()) {
    const auto oldest = sessions_.find(by_age_.front().first);
    if (oldest != sessions_.end() && &oldest->second == &session) break;
    erase(by_age_.front().first);
    by_age_.pop_front();
  }
}

void UiaSessions::erase(const std::string& id) {
  const auto found = sessions_.find(id);
  if (found == sessions_.end()) return;
  bytes_ -= found->second.bytes;
  sessions_.erase(found);
}

boost::json::object UiaSessions::challenge(const UiaPolicy& policy, const std::string& id,
                                           const MatrixError* why) const {
  json::object body = why ? why->body() : json::object();
  json::array flows;
  json::object params;
  for (const UiaFlow& flow : policy.flows) {
    json::array stages;
    for (const UiaStage* stage : flow) {
      stages.emplace_back(stage->type());
      if (json::object needed = stage->params(); !needed.empty())
        params.insert_or_assign(stage->type(), std::move(needed));
    }
    json::object entry;
    entry.emplace("stages", std::move(stages));
    flows.emplace_back(std::move(entry));
  }
  body.emplace("flows", std::move(flows));
  body.emplace("params", std::move(params));
  body.emplace("session", id);
  const auto session = sessions_.find(id);
  if (session != sessions_.end() && !session->second.completed.empty())
    body.emplace("completed", json::array(session->second.completed.begin(), session->second.completed.end()));
  return body;
}

}  // namespace causeway
