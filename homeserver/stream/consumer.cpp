#include "homeserver/stream/consumer.hpp"

#include <deque>

#include "homeserver/runtime/signal.hpp"
#include "schema/db/tables/consumers.hpp"
#include "schema/log.hpp"

namespace causeway {

namespace {

using namespace std::chrono_literals;
constexpr std::chrono::milliseconds pause_after_failure = 1s;
constexpr std::chrono::milliseconds save_interval = 500ms;

}  // namespace

struct Consumer::Impl : std::enable_shared_from_this<Impl> {
  Impl(asio::any_io_executor r, StreamHub& h, db::Database& d, Settings s, Work w)
      : reactor(std::move(r)), hub(h), database(d), settings(std::move(s)), work(std::move(w)), timer(reactor) {}

  void committed(const std::vector<CommittedPtr>& commits) {
    if (!started || stopping) return;
    for (const CommittedPtr& facts : commits) {
      if (facts->until == facts->after) continue;
      if (waiting.size() >= settings.max_waiting) fall_behind();
      waiting.push_back(facts);
    }
    go_on();
  }

  // What waits is in the database.
  void fall_behind() {
    waiting.clear();
    behind = true;
  }

  void go_on() {
    if (!std::exchange(running, true)) spawn(reactor, run(shared_from_this()), asio::detached);
  }

  static Task<> run(std::shared_ptr<Impl> self) {
    while (!self->stopping && (self->behind || !self->waiting.empty())) {
      bool failed = false;
      try {
        if (self->behind)
          co_await self->catch_up();
        else
          co_await self->take_next();
      } catch (const std::exception& error) {
        log::error("{} could not follow the stream for now: {}", self->what(), error.what());
        failed = true;
      }
      if (!failed) continue;
      self->fall_behind();
      self->timer.expires_after(pause_after_failure);
      co_await expiry(self->timer);
    }
    self->running = false;
    self->ended.notify_all();
  }

  std::string_view what() const { return settings.name.empty() ? "a consumer" : std::string_view(settings.name); }

  Task<> catch_up() {
    behind = false;
    const StreamPosition until = hub.position();
    waiting.clear();
    if (position < until) co_await work.catch_up(position, until);
    reached(until);
  }

  Task<> take_next() {
    const CommittedPtr facts = std::move(waiting.front());
    waiting.pop_front();
    co_await work.take(facts);
    reached(facts->until);
  }

  void reached(StreamPosition until) {
    position = until;
    if (!settings.name.empty() && !std::exchange(saving, true))
      spawn(reactor, save_soon(shared_from_this()), asio::detached);
  }

  static Task<> save_soon(std::shared_ptr<Impl> self) {
    self->save_timer.expires_after(save_interval);
    co_await expiry(self->save_timer);
    self->saving = false;
    if (!self->stopping) co_await self->save();
  }

  Task<> save() {
    if (settings.name.empty() || saved == position) co_return;
    try {
      const StreamPosition at = position;
      auto write = [name = settings.name, at](db::Connection& c) { db::save_consumer(c, name, at); };
      co_await database.run(std::move(write));
      saved = at;
    } catch (const std::exception& error) {
      // The next one saves a later position; until then a restart would only repeat what was done.
      log::warn("the position of {} could not be saved: {}", what(), error.what());
    }
  }

  asio::any_io_executor reactor;
  StreamHub& hub;
  db::Database& database;
  const Settings settings;
  const Work work;
  asio::steady_timer timer;
  asio::steady_timer save_timer{reactor};
  Signal ended;
  std::deque<CommittedPtr> waiting;
  StreamPosition position = 0, saved = 0;
  bool started = false;
  bool behind = false;  // what comes after `position` is not all in `waiting`
  bool running = false;
  bool saving = false;
  bool stopping = false;
};

Consumer::Consumer(asio::any_io_executor reactor, StreamHub& hub, db::Database& database, Settings settings, Work work)
    : impl_(std::make_shared<Impl>(std::move(reactor), hub, database, std::move(settings), std::move(work))) {
  hub.add_listener(Stage::deliver, [weak = std::weak_ptr<Impl>(impl_)](const std::vector<CommittedPtr>& commits) {
    if (const auto impl = weak.lock()) impl->committed(commits);
  });
}

Consumer::~Consumer() {
  impl_->stopping = true;
}

Task<> Consumer::start() {
  auto impl = impl_;
  if (!impl->settings.name.empty()) {
    auto find = [name = impl->settings.name](db::Connection& c) { return db::find_consumer(c, name); };
    const auto known = co_await impl->database.run(std::move(find));
    impl->position = impl->saved = known.value_or(0);
  }
  impl->started = impl->behind = true;
  impl->go_on();
}

StreamPosition Consumer::position() const {
  return impl_->position;
}

Task<> Consumer::drain() {
  auto impl = impl_;
  impl->stopping = true;
  impl->timer.cancel();
  impl->save_timer.cancel();
  while (impl->running)
    co_await impl->ended.wait();
  co_await impl->save();
}

}  // namespace causeway
