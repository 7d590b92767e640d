#include "homeserver/sync/sync_service.hpp"

#include <prometheus/counter.h>
#include <prometheus/gauge.h>

#include "homeserver/accounts/account_service.hpp"
#include "homeserver/runtime/bounded_cache.hpp"
#include "homeserver/sync/named_rooms.hpp"
#include "homeserver/sync/sent_members.hpp"
#include "homeserver/sync/state_versions.hpp"
#include "homeserver/sync/sync_builder.hpp"
#include "homeserver/sync/v3_writer.hpp"
#include "schema/db/tables/lost_spans.hpp"

namespace causeway {

namespace {

// Shorter than any request may take, and than most proxies wait.
constexpr std::chrono::milliseconds max_timeout{90'000};
constexpr std::size_t max_filter_cache_bytes = 16 << 20;

// Counts a request for as long as it waits.
class Waiting {
 public:
  explicit Waiting(prometheus::Gauge& gauge) : gauge_(gauge) { gauge_.Increment(); }
  ~Waiting() { gauge_.Decrement(); }
  Waiting(const Waiting&) = delete;
  Waiting& operator=(const Waiting&) = delete;

 private:
  prometheus::Gauge& gauge_;
};

}  // namespace

struct SyncService::Impl {
  explicit Impl(SyncServices services)
      : s(services),
        users(s.database, s.hub, s.reader, s.typing, s.notifier),
        versions(s.hub),
        sizes(s.max_reply_bytes),
        named_rooms(s.database, s.interner),
        filters(max_filter_cache_bytes,
                [](const std::string& key, const CompiledFilter& filter) { return heap_bytes(key) + filter.bytes; }),
        told(s.metrics.counter("sync_replies_total", "Replies to /sync that told something")),
        timed_out(s.metrics.counter("sync_timeouts_total", "Replies to /sync that had nothing to tell")),
        waiting(s.metrics.gauge("sync_waiting", "Requests to /sync that wait for news")) {}

  Task<Result<SyncSpan>> span(const SyncRequest& request);
  Task<Result<std::optional<std::string>>> look(const SyncRequest& request, SyncSpan& span);
  Task<std::string> nothing(const SyncRequest& request, SyncSpan span);
  Task<Result<FilterPtr>> filter(UserNid user, std::string text);
  Task<Result<std::string>> filter_text(UserNid user, std::string text);

  // Nothing that concerns the user came after `since`.
  bool nothing_new(const SyncSpan& span) const {
    return span.user->last_change <= span.since->position && span.user->last_typing <= span.since->ephemeral &&
           span.since->epoch == s.typing.epoch();
  }
  SyncMemory memory() { return {versions, sent_members, named_rooms, sizes}; }
  Task<> read_lost_spans() {
    auto read = [](db::Connection& c) { return db::lost_spans(c); };
    lost_spans = co_await s.database.run(std::move(read));
  }
  // The token was given out by a life of the database that a restored backup has ended.
  bool was_lost(const SyncToken& token) const {
    return std::any_of(lost_spans->begin(), lost_spans->end(), [&token](const db::LostSpan& span) {
      return token.position > span.after && token.position < span.until;
    });
  }
  SyncToken now() const {
    SyncToken token;
    token.position = s.hub.position();
    token.epoch = s.typing.epoch();
    token.ephemeral = s.typing.sequence();
    return token;
  }

  SyncServices s;
  UserIndex users;
  StateVersions versions;
  ReplySizes sizes;
  SentMembers sent_members;
  NamedRooms named_rooms;
  std::optional<std::vector<db::LostSpan>> lost_spans;  // read once: restores happen between two processes
  struct CompiledFilter {
    FilterPtr filter;
    std::size_t bytes = 0;
  };
  BoundedCache<std::string, CompiledFilter> filters;  // by user and what the request says
  prometheus::Counter& told;
  prometheus::Counter& timed_out;
  prometheus::Gauge& waiting;
};

namespace {

void stop_typing_of_who_left(TypingService& typing, const Committed& facts) {
  for (const CommittedEvent& added : facts.events) {
    const Event& event = *added.stored->event;
    if (added.placement != Placement::live || !event.is("m.room.member") || event.membership() == "join") continue;
    if (auto user = UserId::parse(event.state_key().value_or("")))
      typing.set(facts.room, std::move(*user), false, {}, false);
  }
}

}  // namespace

SyncService::SyncService(SyncServices services) : impl_(std::make_unique<Impl>(services)) {
  services.hub.add_listener(Stage::caches, [impl = impl_.get()](const std::vector<CommittedPtr>& commits) {
    for (const CommittedPtr& facts : commits) {
      impl->versions.append(*facts);
      impl->named_rooms.committed(*facts);
    }
  });
  services.hub.add_listener(Stage::derived, [impl = impl_.get()](const std::vector<CommittedPtr>& commits) {
    for (const CommittedPtr& facts : commits)
      stop_typing_of_who_left(impl->s.typing, *facts);
  });
  services.hub.add_listener(
      Stage::wake, [impl = impl_.get()](const std::vector<CommittedPtr>& commits) { impl->users.committed(commits); });
  services.typing.add_listener(
      [impl = impl_.get()](RoomNid room, const UserId&, bool, bool) { impl->users.typing_changed(room); });
}
SyncService::~SyncService() = default;

Task<Result<FilterPtr>> SyncService::Impl::filter(UserNid user, std::string text) {
  const std::string key = std::to_string(to_int(user)) + ' ' + text;
  if (const CompiledFilter* cached = filters.find(key)) co_return cached->filter;
  auto json_text = co_await filter_text(user, std::move(text));
  if (!json_text) co_return json_text.error();
  auto parsed = Filter::parse(*json_text);
  if (!parsed) co_return parsed.error();
  FilterPtr compiled = std::make_shared<const Filter>(std::move(*parsed));
  // A filter that was stored never changes.
  CompiledFilter kept{compiled, sizeof(Filter) + parsed_json_bytes(*json_text)};
  filters.put(key, std::move(kept));
  co_return compiled;
}

// spec: client-server-api#get_matrixclientv3sync: JSON if it begins with '{', else an ID.
Task<Result<std::string>> SyncService::Impl::filter_text(UserNid user, std::string text) {
  if (text.empty()) co_return "{}";
  if (text.front() == '{') co_return text;
  auto stored = co_await s.accounts.filter(user, std::move(text));
  if (!stored) co_return make_error(ErrorCode::invalid_param, "You have no filter of this ID");
  co_return std::move(*stored);
}

// What the request asks for, from its token on.
Task<Result<SyncSpan>> SyncService::Impl::span(const SyncRequest& request) {
  SyncSpan span;
  span.device = request.viewer.device;
  span.full_state = request.full_state;
  span.state_after = request.use_state_after || request.use_state_after_unstable;
  if (request.since) {
    auto token = SyncToken::parse(*request.since);
    if (!token) co_return token.error();
    if (token->position > s.hub.position())
      co_return make_error(ErrorCode::invalid_param, "This token is of a time that has not come yet");
    span.since = *token;
  }
  auto compiled = co_await filter(request.viewer.nid, request.filter);
  if (!compiled) co_return compiled.error();
  span.filter = std::move(*compiled);
  span.user = co_await users.get(request.viewer.nid, request.viewer.user);
  if (!lost_spans) co_await read_lost_spans();
  span.since_was_lost = span.since && was_lost(*span.since);
  co_return span;
}

// The reply; none where there is nothing to tell, and `span` begins where this look ended.
Task<Result<std::optional<std::string>>> SyncService::Impl::look(const SyncRequest& request, SyncSpan& span) {
  SyncBuilder builder(s, memory(), span);
  const auto built = co_await builder.build();
  if (!built) co_return built.error();
  if (!span.every_room() && builder.empty()) {
    span.since = builder.span().until;
    co_return std::optional<std::string>();
  }
  V3Writer writer(s, request, builder);
  std::optional<std::string> reply = co_await writer.write();
  told.Increment();
  co_return reply;
}

Task<std::string> SyncService::Impl::nothing(const SyncRequest& request, SyncSpan span) {
  if (nothing_new(span)) span.since = now();
  SyncBuilder builder(s, memory(), std::move(span));
  co_await builder.build_empty();
  V3Writer writer(s, request, builder);
  timed_out.Increment();
  co_return co_await writer.write();
}

Task<Result<std::string>> SyncService::sync(SyncRequest request) {
  Impl& impl = *impl_;
  const auto deadline = std::chrono::steady_clock::now() + std::min(request.timeout, max_timeout);
  const UserNid nid = request.viewer.nid;
  auto span = co_await impl.span(request);
  if (!span) co_return span.error();
  if (request.caller) request.caller->when_gone([&impl, nid] { impl.s.notifier.wake(nid); });
  for (bool waited = false;; waited = true) {
    const auto ticket = impl.s.notifier.ticket(nid);
    if (waited && request.check_session) {
      const auto open = co_await request.check_session();
      if (!open) co_return open.error();
    }
    if (span->every_room() || !impl.nothing_new(*span)) {
      auto reply = co_await impl.look(request, *span);
      if (!reply) co_return reply.error();
      if (*reply) co_return std::move(**reply);
    }
    // The ticket was taken before: a session that ends from here on wakes.
    if (!waited && request.timeout.count() > 0 && request.check_session) {
      const auto open = co_await request.check_session();
      if (!open) co_return open.error();
    }
    const Waiting counted(impl.waiting);
    if (request.caller) request.caller->begin_wait();
    const bool woken = co_await impl.s.notifier.wait(nid, ticket, deadline);
    if (!woken || (request.caller && request.caller->gone())) break;
    if (request.caller) co_await request.caller->end_wait();
  }
  co_return co_await impl.nothing(request, std::move(*span));
}

}  // namespace causeway
