#include "homeserver/http/pipeline.hpp"

#include <random>

#include "homeserver/http/access_token.hpp"
#include "homeserver/http/compression.hpp"
#include "homeserver/http/optional_whitespace.hpp"
#include "homeserver/http/request_counters.hpp"
#include "homeserver/http/uri.hpp"
#include "schema/db/database.hpp"
#include "schema/db/failures.hpp"
#include "schema/db/share.hpp"
#include "schema/log.hpp"

namespace causeway::http {
namespace {

// A request that is refused anyway may still send a body of this size and keep its connection.
constexpr std::size_t refused_body_limit = 64 * kib;
// Clients send "{}" where an endpoint needs no body at all.
constexpr std::size_t smallest_body_limit = 4 * kib;
// Beyond this, compressing takes more than a millisecond.
constexpr std::size_t compress_inline_below = 32 * kib;

std::map<RateClass, RateLimiter> make_limiters(const RateLimits& limits) {
  std::map<RateClass, RateLimiter> out;
  out.emplace(RateClass::read, RateLimiter(limits.read));
  out.emplace(RateClass::write, RateLimiter(limits.write));
  out.emplace(RateClass::message, RateLimiter(limits.message));
  out.emplace(RateClass::login, RateLimiter(limits.login));
  out.emplace(RateClass::join, RateLimiter(limits.join));
  out.emplace(RateClass::federation, RateLimiter(limits.federation));
  return out;
}

std::string_view name(RateClass rate) {
  switch (rate) {
    case RateClass::unlimited:
      return "unlimited";
    case RateClass::read:
      return "read";
    case RateClass::write:
      return "write";
    case RateClass::message:
      return "message";
    case RateClass::login:
      return "login";
    case RateClass::join:
      return "join";
    case RateClass::federation:
      return "federation";
  }
  return "";
}

// Why there is no endpoint for the request, if there is none.
// spec: client-server-api#common-error-codes (M_UNRECOGNIZED)
std::optional<MatrixError> routing_error(const Router::Match& match) {
  if (match.route) return std::nullopt;
  if (match.malformed) return make_error(ErrorCode::invalid_param, "The path is not percent-encoded UTF-8.");
  if (match.path_known)
    return make_error(ErrorCode::unrecognized, 405, "This endpoint does not answer to this method.");
  return make_error(ErrorCode::unrecognized, 404, "There is no such endpoint.");
}

// RFC 9110, 15.5.6: a 405 says what would have been answered.
std::string allowed_methods(const Router::Match& match) {
  std::string out;
  for (const Verb verb : match.allowed) {
    out.append(name(verb)).append(", ");
    if (verb == Verb::get) out.append("HEAD, ");
  }
  return out + "OPTIONS";
}

MatrixError try_again(std::string sentence) {
  auto error = make_error(ErrorCode::unknown, 503, std::move(sentence));
  error.extra["retry_after_ms"] = 2000;
  return error;
}

MatrixError internal_error(const Request& request, std::exception_ptr thrown) {
  try {
    std::rethrow_exception(thrown);
  } catch (const db::Unavailable& error) {
    log::warn("{} the database is unavailable: {}", request.id, error.what());
    return try_again("The server's database is unavailable. Try again shortly.");
  } catch (const std::exception& error) {
    log::error("{} failed: {}", request.id, error.what());
    if (db::lacks_resources(error)) return try_again("The server's database has no space left. Try again later.");
  } catch (...) {
    log::error("{} failed: unknown exception", request.id);
  }
  return make_error(ErrorCode::unknown, 500, "An internal error occurred. The server's log says more.");
}

// For whose account a request goes.
std::string requester_of(const Exchange& exchange) {
  const Request& request = exchange.request;
  if (request.origin) return request.origin->str();
  // Logging in is limited per address whoever asks: the user is what an attacker varies.
  if (request.requester && exchange.match.route->rate != RateClass::login) return request.requester->user.str();
  return rate_limit_key(exchange.client);
}

// What is heavy here is heavy for the database too.
db::Share share_of(WorkClass work) {
  if (work == WorkClass::heavy) return db::Share::heavy;
  return work == WorkClass::heavy_federation ? db::Share::heavy_peers : db::Share::common;
}

WorkClass work_class_of(const Exchange& exchange) {
  const Route& route = *exchange.match.route;
  return route.work ? route.work(exchange.request) : work_class_of(route.rate);
}

bool compressible(std::string_view content_type) {
  return content_type.starts_with("application/json") || content_type.starts_with("text/");
}

}  // namespace

// A handler under way. The pipeline stops waiting at the deadline; the handler then runs to its end on its own, and may
// outlive the pipeline.
struct Pipeline::Call {
  Call(asio::any_io_executor executor, std::shared_ptr<Exchange> e, std::shared_ptr<RequestCounters> c)
      : exchange(std::move(e)), counters(std::move(c)), ended(executor, exchange->request.deadline) {}
  std::shared_ptr<Exchange> exchange;
  std::shared_ptr<RequestCounters> counters;
  asio::steady_timer ended;  // cancelled when the handler ends
  std::optional<Result<Response>> result;
  std::exception_ptr error;
};

Pipeline::Pipeline(asio::any_io_executor executor, const ServerSettings& settings, const Router& router,
                   AccessTokenAuthenticators users, FederationAuthenticator& servers, CpuPool& cpu, const Clock& clock,
                   Metrics& metrics)
    : executor_(executor),
      settings_(settings),
      router_(router),
      users_(std::move(users)),
      servers_(servers),
      cpu_(cpu),
      clock_(clock),
      trusted_proxies_(settings.trusted_proxies),
      address_limiter_(settings.rate_limits.address),
      class_limiters_(make_limiters(settings.rate_limits)),
      counters_(std::make_shared<RequestCounters>(metrics)),
      admission_(std::make_shared<Admission>(executor, settings.admission, metrics)),
      id_prefix_(fmt::format("{:08x}", std::random_device{}())) {}
Pipeline::~Pipeline() = default;

void Pipeline::start_counters() {
  counters_->start_at_zero(router_);
}

void Pipeline::begin(Exchange& exchange, const asio::ip::address& peer) {
  Request& request = exchange.request;
  exchange.started = std::chrono::steady_clock::now();
  admission_->request_begins(exchange.started);
  request.deadline = exchange.started + settings_.handler_timeout;
  request.id = fmt::format("{}-{}", id_prefix_, next_id_++);
  exchange.client = client_address(peer, request.header("x-forwarded-for"), trusted_proxies_);
  request.remote_address = exchange.client.to_string();
  const std::size_t question = std::min(request.target.find('?'), request.target.size());
  request.path = request.target.substr(0, question);
  if (request.verb == Verb::options) return;
  exchange.match = router_.match(request.verb, request.path);
  exchange.refusal = routing_error(exchange.match);
  if (exchange.refusal) return;
  if (streams_body(exchange)) request.deadline = exchange.started + settings_.streamed_handler_timeout;
  request.path_parameters = std::move(exchange.match.parameters);
  const auto query = std::string_view(request.target).substr(std::min(question + 1, request.target.size()));
  if (auto parsed = parse_query(query))
    request.query = std::move(*parsed);
  else
    exchange.refusal = make_error(ErrorCode::invalid_param, "The query is not percent-encoded UTF-8.");
}

bool Pipeline::streams_body(const Exchange& exchange) {
  return exchange.match.route && !exchange.refusal && exchange.match.route->body == BodyUse::streamed;
}

std::uint64_t Pipeline::body_limit(const Exchange& exchange) const {
  if (!exchange.match.route || exchange.refusal) return refused_body_limit;
  return std::max(exchange.match.route->body_limit, smallest_body_limit);
}

std::optional<Response> Pipeline::shed_at_once(Exchange& exchange, const KnownAsker& known) {
  if (!admission_->overloaded() || !known.is_known() || exchange.refusal || !exchange.match.route) return std::nullopt;
  if (exchange.match.route->rate == RateClass::login) return std::nullopt;
  if (admission_->key_of(exchange.request.header("authorization")) != known.authorization) return std::nullopt;
  exchange.may_be_shed = false;
  auto refusal = admission_->shed(work_class_of(exchange), known.key);
  if (!refusal) return std::nullopt;
  exchange.shed = true;
  auto response = refuse(*refusal);
  record(exchange, response);
  return response;
}

Task<Response> Pipeline::answer(std::shared_ptr<Exchange> exchange) {
  Response response;
  // spec: client-server-api#web-browser-clients: OPTIONS runs no logic of the endpoint
  if (exchange->request.verb == Verb::options) {
    response.status = 204;
    response.body.clear();
  } else {
    auto result = co_await decide(exchange);
    if (result)
      response = std::move(*result);
    else
      response = refuse(result.error());
    if (response.status == 405) response.headers.emplace_back("Allow", allowed_methods(exchange->match));
  }
  response = co_await encode(exchange, std::move(response));
  record(*exchange, response);
  co_return response;
}

Response Pipeline::refuse(const MatrixError& error) {
  counters_->count_error(error.code);
  return error_response(error);
}

Task<Result<Response>> Pipeline::decide(std::shared_ptr<Exchange> exchange) {
  try {
    co_return co_await pass_checks_and_run(exchange);
  } catch (...) {
    co_return internal_error(exchange->request, std::current_exception());
  }
}

Task<Result<Response>> Pipeline::pass_checks_and_run(std::shared_ptr<Exchange> exchange) {
  if (exchange->refusal) co_return *exchange->refusal;
  if (auto taken = take_from_address(*exchange); !taken) co_return taken.error();
  auto authenticated = co_await authenticate(exchange);
  if (!authenticated) co_return authenticated.error();
  const std::string who = requester_of(*exchange);
  if (auto taken = take_from_class(*exchange, who); !taken) co_return taken.error();
  const std::uint64_t asker = admission_->key_of(who);
  const auto authorization = exchange->request.header("authorization");
  if (exchange->request.requester && !authorization.empty())
    exchange->asker = {admission_->key_of(authorization), asker};
  const WorkClass work = work_class_of(*exchange);
  const auto entered = enter_at_once(*exchange, work, asker);
  if (!entered) co_return entered.error();
  if (!*entered) {
    const auto waited = co_await wait_for_place(exchange, work, asker);
    if (!waited) co_return waited.error();
  }
  co_return co_await run_handler(exchange);
}

// False: the request has to wait.
Result<bool> Pipeline::enter_at_once(Exchange& exchange, WorkClass work, std::uint64_t asker) {
  if (exchange.may_be_shed) {
    if (auto refusal = admission_->shed(work, asker)) {
      exchange.shed = true;
      return std::move(*refusal);
    }
  }
  auto place = admission_->try_enter(work, asker);
  if (place) exchange.request.place = std::move(*place);
  return place.has_value();
}

Task<Result<>> Pipeline::wait_for_place(std::shared_ptr<Exchange> exchange, WorkClass work, std::uint64_t asker) {
  auto place = co_await admission_->wait(work, asker);
  if (!place) co_return place.error();
  if (exchange->client_has_gone && exchange->client_has_gone()) {
    admission_->count_gone(work);
    co_return make_error(ErrorCode::unknown, 503, "Nobody waits for this any more.");
  }
  exchange->request.place = std::move(*place);
  co_return Result<>();
}

Task<Result<>> Pipeline::authenticate(std::shared_ptr<Exchange> exchange) {
  Request& request = exchange->request;
  const Auth auth = exchange->match.route->auth;
  if (auth == Auth::none) co_return Result<>();
  if (auth == Auth::federation) co_return co_await authenticate_origin(exchange);
  auto token = access_token(request);
  if (!token || token->empty()) {
    if (auth == Auth::optional_access_token) co_return Result<>();
    co_return make_error(ErrorCode::missing_token, "This endpoint needs an access token.");
  }
  for (AccessTokenAuthenticator* users : users_) {
    auto requester = co_await users->authenticate_token(*token, request);
    if (!requester) continue;
    if (!*requester) co_return requester->error();
    request.requester = std::move(**requester);
    co_return check_may_call(*request.requester, exchange->match.route->callers);
  }
  co_return make_error(ErrorCode::unknown_token, "The access token is not known.");
}

// Until that is known it is an address that asks, whatever origin it claims: it could be anybody's.
Task<Result<>> Pipeline::authenticate_origin(std::shared_ptr<Exchange> exchange) {
  Request& request = exchange->request;
  const std::uint64_t address = admission_->key_of(rate_limit_key(exchange->client));
  const auto entered = enter_at_once(*exchange, WorkClass::authentication, address);
  if (!entered) co_return entered.error();
  if (!*entered) {
    const auto waited = co_await wait_for_place(exchange, WorkClass::authentication, address);
    if (!waited) co_return waited.error();
  }
  auto origin = co_await servers_.authenticate_origin(request);
  request.place.leave();
  if (!origin) co_return origin.error();
  request.origin = std::move(*origin);
  co_return Result<>();
}

Result<> Pipeline::take(RateLimiter& limiter, const std::string& key, std::string_view limit_name) {
  if (!settings_.rate_limits_enabled) return {};
  const auto wait = limiter.take(key, clock_.steady());
  if (!wait) return {};
  counters_->count_rate_limited(limit_name);
  // spec: client-server-api#rate-limiting
  auto error = make_error(ErrorCode::limit_exceeded, "Too many requests. Wait before trying again.");
  error.extra["retry_after_ms"] = wait->count();
  return error;
}

Result<> Pipeline::take_from_address(const Exchange& exchange) {
  return take(address_limiter_, rate_limit_key(exchange.client), "address");
}

Result<> Pipeline::take_from_class(const Exchange& exchange, const std::string& who) {
  const RateClass rate = exchange.match.route->rate;
  const auto limiter = class_limiters_.find(rate);
  if (limiter == class_limiters_.end()) return {};
  return take(limiter->second, who, name(rate));
}

Task<Result<Response>> Pipeline::run_handler(std::shared_ptr<Exchange> exchange) {
  auto call = std::make_shared<Call>(executor_, exchange, counters_);
  const db::Share share = share_of(work_class_of(*exchange));
  const auto executor = share == db::Share::common ? executor_ : db::with_share(executor_, share);
  spawn(executor, call_handler(call), asio::detached);
  boost::system::error_code ignored;
  // co_spawn runs what it is given up to the first wait, which may be all of it
  if (!call->result && !call->error) co_await expiry(call->ended);
  if (call->error) std::rethrow_exception(call->error);
  if (call->result) co_return std::move(*call->result);
  log::error("{} {} has not ended after {} ms", exchange->request.id, exchange->match.route->operation_id,
             settings_.handler_timeout.count());
  co_return make_error(ErrorCode::unknown, 504, "The server took too long to answer.");
}

Task<> Pipeline::call_handler(std::shared_ptr<Call> call) {
  call->counters->handler_started();
  try {
    call->result = co_await call->exchange->match.route->handler(call->exchange->request);
  } catch (...) {
    call->error = std::current_exception();
  }
  call->exchange->request.disconnect.forget();
  call->exchange->request.place.leave();
  call->counters->handler_ended();
  call->ended.cancel();
}

Task<Response> Pipeline::encode(std::shared_ptr<Exchange> exchange, Response response) {
  if (response.source || !compressible(response.content_type) || response.body.size() < settings_.compress_from_bytes)
    co_return response;
  response.headers.emplace_back("Vary", "Accept-Encoding");
  const Coding coding = choose_coding(exchange->request.header("accept-encoding"));
  if (coding == Coding::identity) co_return response;
  if (response.body.size() < compress_inline_below) {
    response.body = compress(response.body, coding);
  } else {
    auto work = [body = std::move(response.body), coding] { return compress(body, coding); };
    response.body = co_await cpu_.run(std::move(work));
  }
  response.headers.emplace_back("Content-Encoding", std::string(name(coding)));
  co_return response;
}

void Pipeline::record(const Exchange& exchange, const Response& response) {
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - exchange.started;
  counters_->count_request(exchange.match.route, response.status, took);
  if (!exchange.shed) log_request(exchange.request, response, took);
}

}  // namespace causeway::http
