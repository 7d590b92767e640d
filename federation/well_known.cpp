#include "federation/well_known.hpp"

#include <charconv>

#include "schema/json/json.hpp"
#include "schema/log.hpp"

namespace causeway::federation {

namespace {

using namespace std::chrono_literals;

constexpr std::size_t max_redirects = 5;
constexpr std::size_t max_reply_bytes = 50 * 1024;
constexpr std::size_t max_entries = 10'000;
constexpr std::chrono::milliseconds request_timeout = 10s;
constexpr std::uint16_t https_port = 443;
constexpr const char* path = "/.well-known/matrix/server";

bool is_redirect(unsigned status) {
  return status >= 301 && status <= 308 && status != 304;
}

Result<ServerName> read_delegation(const Result<outbound::Response>& reply) {
  if (!reply) return reply.error();
  if (reply->status != 200) return make_error(ErrorCode::not_found, "status " + std::to_string(reply->status));
  auto object = json::parse_object(reply->body);
  if (!object) return object.error();
  auto name = json::required_string(*object, "m.server");
  if (!name) return name.error();
  return ServerName::parse(*name);
}

// Errors are asked about again after 1, 2, 4, ... minutes, an hour at most.
std::chrono::milliseconds error_cache_time(unsigned failures) {
  return std::min<std::chrono::milliseconds>(1min * (1 << std::min(failures, 6u)), 1h);
}

}  // namespace

std::chrono::milliseconds cache_time(std::string_view cache_control) {
  constexpr std::string_view key = "max-age=";
  if (cache_control.find("no-store") != cache_control.npos || cache_control.find("no-cache") != cache_control.npos)
    return 5min;
  const auto at = cache_control.find(key);
  if (at == cache_control.npos) return 24h;
  std::int64_t seconds = 0;
  const char* begin = cache_control.data() + at + key.size();
  const auto [end, error] = std::from_chars(begin, cache_control.data() + cache_control.size(), seconds);
  if (error == std::errc::result_out_of_range) return 48h;
  if (error != std::errc{}) return 24h;
  const std::chrono::seconds most = 48h;
  return std::clamp<std::chrono::milliseconds>(std::chrono::seconds(std::min<std::int64_t>(seconds, most.count())),
                                               5min, 48h);
}

std::optional<HttpsUrl> follow(const HttpsUrl& base, std::string_view location) {
  constexpr std::string_view scheme = "https://";
  location = location.substr(0, location.find('#'));
  if (location.starts_with("/") && !location.starts_with("//")) return HttpsUrl{base.authority, std::string(location)};
  if (location.starts_with("//"))
    location.remove_prefix(2);
  else if (location.starts_with(scheme))
    location.remove_prefix(scheme.size());
  else
    return std::nullopt;
  const auto slash = location.find('/');
  auto authority = ServerName::parse(location.substr(0, slash));
  if (!authority) return std::nullopt;
  return HttpsUrl{*authority, slash == location.npos ? "/" : std::string(location.substr(slash))};
}

Task<std::optional<ServerName>> WellKnownClient::delegation(std::string host) {
  const auto known = entries_.find(host);
  if (known != entries_.end() && known->second.until > clock_.steady()) co_return known->second.delegated;
  auto reply = co_await fetch(host);
  co_return remember(host, std::move(reply)).delegated;
}

Task<Result<outbound::Response>> WellKnownClient::fetch(std::string host) {
  const auto deadline = std::chrono::steady_clock::now() + request_timeout;
  HttpsUrl url{ServerName::trusted(host), path};
  for (std::size_t hop = 0; hop <= max_redirects; ++hop) {
    std::string name(url.authority.host());
    outbound::Target target{name, url.authority.port().value_or(https_port), url.authority.str(), name};
    auto connection = co_await connector_.connect(std::move(target), deadline);
    if (!connection) co_return connection.error();
    outbound::Request request;
    request.target = url.target;
    request.max_response_bytes = max_reply_bytes;
    auto reply = co_await (*connection)->exchange(std::move(request), deadline);
    if (!reply) co_return make_error(ErrorCode::unknown, 502, reply.error().reason);
    if (!is_redirect(reply->status)) co_return std::move(*reply);
    auto next = follow(url, reply->header("location"));
    if (!next) co_return make_error(ErrorCode::unknown, 502, "a redirect that leads nowhere");
    url = std::move(*next);
  }
  co_return make_error(ErrorCode::unknown, 502, "too many redirects");
}

WellKnownClient::Entry& WellKnownClient::remember(const std::string& host, Result<outbound::Response> reply) {
  const auto now = clock_.steady();
  if (entries_.size() >= max_entries && !entries_.contains(host)) make_room();
  auto& entry = entries_[host];
  auto delegated = read_delegation(reply);
  if (delegated) {
    entry = Entry{*delegated, now + cache_time(reply->header("cache-control")), 0};
    return entry;
  }
  log::debug("federation: {} does not delegate: {}", host, delegated.error().message);
  entry.delegated.reset();
  entry.until = now + error_cache_time(entry.failures++);
  return entry;
}

// What is out of date goes first, then hosts that don't delegate: anybody can name such.
void WellKnownClient::make_room() {
  std::erase_if(entries_, [now = clock_.steady()](const auto& entry) { return entry.second.until < now; });
  if (entries_.size() < max_entries) return;
  std::erase_if(entries_, [](const auto& entry) { return !entry.second.delegated; });
  if (entries_.size() >= max_entries) entries_.erase(entries_.begin());
}

}  // namespace causeway::federation
