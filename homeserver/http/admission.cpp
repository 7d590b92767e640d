#include "homeserver/http/admission.hpp"

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <sodium.h>

#include <algorithm>
#include <boost/asio/steady_timer.hpp>
#include <boost/unordered/unordered_flat_map.hpp>
#include <deque>
#include <unordered_map>

#include "schema/log.hpp"
#include "schema/matrix/assert.hpp"

namespace causeway::http {

namespace {

using TimePoint = std::chrono::steady_clock::time_point;

static_assert(crypto_shorthash_BYTES == sizeof(std::uint64_t) && crypto_shorthash_KEYBYTES == 16);

// So many who ask fill a class. An address may be that of many people, and how often they log in is limited besides.
constexpr std::size_t shares_of(WorkClass work) {
  return work == WorkClass::login ? 1 : 4;
}
// A class with so many waiting is full: bursts of what is small may be large.
constexpr std::size_t waiting_per_place(WorkClass work) {
  const bool is_small = work == WorkClass::read || work == WorkClass::write || work == WorkClass::login;
  return is_small ? 8 : 2;
}
// What takes longer itself may wait for longer.
constexpr int patience_factor(WorkClass work) {
  const bool is_quick = work == WorkClass::read || work == WorkClass::write || work == WorkClass::authentication;
  return is_quick ? 1 : 10;
}
// What has held a place among those that were authenticated before.
constexpr bool is_after_authentication(WorkClass work) {
  return work == WorkClass::federation || work == WorkClass::heavy_federation;
}
// Who asks for one kind of thing may ask for another at the same time.
constexpr std::uint64_t in_class(WorkClass work, std::uint64_t key) {
  return key ^ (static_cast<std::uint64_t>(work) * 0x9e3779b97f4a7c15);
}
constexpr std::int64_t earliest_return_ms = 1000;
constexpr std::int64_t latest_return_ms = 3000;  // not all at the same moment

constexpr std::array<const char*, work_classes> names{
    "unbounded", "read", "heavy", "write", "remote", "login", "federation", "heavy_federation", "authentication"};

}  // namespace

AdmissionSettings usual_admission(std::size_t processors, std::size_t database_connections) {
  AdmissionSettings settings;
  settings[WorkClass::read] = settings[WorkClass::federation] = 16 * database_connections;
  settings[WorkClass::heavy] = settings[WorkClass::heavy_federation] = 4 * database_connections;
  settings[WorkClass::write] = 512;  // fewer make smaller batches: a quarter fewer a second with 256 senders
  settings[WorkClass::remote] = 128;
  settings[WorkClass::login] = 4 * processors;
  settings[WorkClass::authentication] = 256;
  return settings;
}

// A request that waits. Lives in its coroutine.
struct Admission::Waiter {
  enum class Outcome { waiting, admitted, displaced };
  Waiter(Admission& a, Class& c, TimePoint until, std::uint64_t k, bool shed);
  ~Waiter();
  Waiter(const Waiter&) = delete;
  Waiter& operator=(const Waiter&) = delete;

  Task<> wait() { co_await expiry(timer); }
  void settle(Outcome how) {
    outcome = how;
    timer.cancel();
  }

  Admission& admission;
  Class& in;
  asio::steady_timer timer;
  const std::uint64_t key;
  const bool may_be_shed;
  Outcome outcome = Outcome::waiting;
};

struct Admission::Class {
  Class(WorkClass work, const AdmissionSettings& settings, Metrics& metrics)
      : places(std::max<std::size_t>(settings.places[static_cast<std::size_t>(work)], 1)),
        share((places + shares_of(work) - 1) / shares_of(work)),
        max_waiting(places * waiting_per_place(work)),
        max_waiting_of_one(share * waiting_per_place(work)),
        patience(settings.patience * patience_factor(work)),
        short_patience(settings.short_patience * patience_factor(work)),
        running_gauge(gauge(metrics, work, "http_admitted", "Requests that hold a place.")),
        waiting_gauge(gauge(metrics, work, "http_waiting", "Requests that wait for a place.")),
        shed_share(shed(metrics, work, "share")),
        shed_full(shed(metrics, work, "full")),
        shed_waited(shed(metrics, work, "waited")),
        shed_gone(shed(metrics, work, "gone")),
        shed_lag(shed(metrics, work, "lag")) {
    running_by_key.reserve(places);
  }

  static Labels label(WorkClass work) { return {{"class", names[static_cast<std::size_t>(work)]}}; }
  static prometheus::Gauge& gauge(Metrics& metrics, WorkClass work, const char* name, const char* help) {
    return metrics.gauge(name, help, label(work));
  }
  static prometheus::Counter& shed(Metrics& metrics, WorkClass work, const char* reason) {
    auto labels = label(work);
    labels.emplace("reason", reason);
    return metrics.counter("http_shed_total", "Requests refused because too much was under way.", labels);
  }

  bool has_share(std::uint64_t key) const {
    const auto found = running_by_key.find(key);
    return found != running_by_key.end() && found->second >= share;
  }
  bool has_anything(std::uint64_t key) const { return running_by_key.contains(key) || waiting_by_key.contains(key); }
  std::size_t waiting_of(std::uint64_t key) const {
    const auto found = waiting_by_key.find(key);
    return found == waiting_by_key.end() ? 0 : found->second.size();
  }

  void occupy(std::uint64_t key) {
    ++running_by_key[key];
    ++running;
    running_gauge.Increment();
  }
  void free(std::uint64_t key) {
    const auto found = running_by_key.find(key);
    CAUSEWAY_ASSERT(found != running_by_key.end());
    if (--found->second == 0) running_by_key.erase(found);
    --running;
    running_gauge.Decrement();
  }

  void enqueue(Waiter& waiter) {
    auto& queue = waiting_by_key[waiter.key];
    if (queue.empty()) turns.push_back(waiter.key);
    queue.push_back(&waiter);
    waiting_gauge.Increment();
    if (waiter.may_be_shed && waiting++ == 0) waiting_since = std::chrono::steady_clock::now();
  }
  // Whoever waits no longer.
  void dequeue(const Waiter& waiter) {
    const auto found = waiting_by_key.find(waiter.key);
    CAUSEWAY_ASSERT(found != waiting_by_key.end());
    std::erase(found->second, &waiter);
    if (found->second.empty()) {
      waiting_by_key.erase(found);
      std::erase(turns, waiter.key);
    }
    no_longer_waits(waiter);
  }
  void no_longer_waits(const Waiter& waiter) {
    waiting_gauge.Decrement();
    if (waiter.may_be_shed) --waiting;
  }

  // Gives free places to those who wait, one to each in turn.
  void admit_waiting() {
    for (std::size_t left = turns.size(); left > 0 && running < places; --left) {
      const std::uint64_t key = turns.front();
      turns.pop_front();
      if (has_share(key)) {
        turns.push_back(key);
        continue;
      }
      const auto queue = waiting_by_key.find(key);
      Waiter& next = *queue->second.front();
      queue->second.pop_front();
      if (queue->second.empty())
        waiting_by_key.erase(queue);
      else
        turns.push_back(key);
      no_longer_waits(next);
      occupy(key);
      next.settle(Waiter::Outcome::admitted);
    }
  }

  // Makes room among those who wait by refusing the last of whoever has most there, if that is clearly more than
  // `than`.
  bool displace(std::size_t than) {
    // With so many who wait, nobody can have more.
    if (waiting < waiting_by_key.size() + than + 1) return false;
    const auto most = std::max_element(waiting_by_key.begin(), waiting_by_key.end(),
                                       [](const auto& a, const auto& b) { return a.second.size() < b.second.size(); });
    if (most == waiting_by_key.end() || most->second.size() < than + 2) return false;
    auto& queue = most->second;
    const auto last = std::find_if(queue.rbegin(), queue.rend(), [](const Waiter* w) { return w->may_be_shed; });
    if (last == queue.rend()) return false;
    Waiter& displaced = **last;
    dequeue(displaced);
    displaced.settle(Waiter::Outcome::displaced);
    return true;
  }

  const std::size_t places, share, max_waiting, max_waiting_of_one;
  const std::chrono::milliseconds patience, short_patience;
  std::size_t running = 0;
  std::size_t waiting = 0;  // of those that may be shed
  TimePoint waiting_since;  // somebody has waited at any time since then
  boost::unordered_flat_map<std::uint64_t, std::size_t> running_by_key;
  std::unordered_map<std::uint64_t, std::deque<Waiter*>> waiting_by_key;
  std::deque<std::uint64_t> turns;  // who waits, the next one in front
  prometheus::Gauge &running_gauge, &waiting_gauge;
  prometheus::Counter &shed_share, &shed_full, &shed_waited, &shed_gone, &shed_lag;
};

Admission::Waiter::Waiter(Admission& a, Class& c, TimePoint until, std::uint64_t k, bool shed)
    : admission(a), in(c), timer(a.executor_, until), key(k), may_be_shed(shed) {
  in.enqueue(*this);
}
Admission::Waiter::~Waiter() {
  if (outcome == Outcome::waiting && !admission.closed_) in.dequeue(*this);
}

Admission::Admission(asio::any_io_executor executor, const AdmissionSettings& settings, Metrics& metrics)
    : executor_(std::move(executor)),
      shedding_(settings.shedding),
      recent_(settings.shedding.moment),
      returns_(std::random_device{}()),
      overloaded_gauge_(metrics.gauge("http_overloaded", "1 while requests are refused because the reactor is late.")),
      lag_(std::make_unique<ReactorLag>(
          executor_, metrics, [this](auto begun, auto ended, auto lag) { lag_measured(begun, ended, lag); })) {
  randombytes_buf(hash_key_.data(), hash_key_.size());
  for (std::size_t i = 1; i < work_classes; ++i)
    classes_[i] = std::make_unique<Class>(static_cast<WorkClass>(i), settings, metrics);
}
Admission::~Admission() = default;

void Admission::close() {
  closed_ = true;
  lag_.reset();
}

std::uint64_t Admission::key_of(std::string_view who) const {
  std::uint64_t out = 0;
  crypto_shorthash(reinterpret_cast<unsigned char*>(&out), reinterpret_cast<const unsigned char*>(who.data()),
                   who.size(), hash_key_.data());
  return out;
}

bool Admission::try_occupy(Class& c, std::uint64_t key) {
  if (c.running >= c.places || c.has_share(key)) return false;
  c.occupy(key);
  return true;
}

void Admission::request_begins(TimePoint now) {
  if (lag_) lag_->measure(now);
}

void Admission::lag_measured(TimePoint begun, TimePoint ended, ReactorLag::Duration lag) {
  const bool before = shedding_.overloaded();
  shedding_.measured(begun, ended, lag);
  if (shedding_.overloaded() == before) return;
  overloaded_gauge_.Set(before ? 0 : 1);
  if (before)
    log::info("nothing more is refused for want of processor time");
  else
    log::warn("more is asked than there is processor time for: a part is refused");
}

std::optional<MatrixError> Admission::shed(WorkClass work, std::uint64_t key) {
  if (work == WorkClass::unbounded || !shedding_.overloaded() || !lag_) return std::nullopt;
  Class& c = of(work);
  const auto now = std::chrono::steady_clock::now();
  const bool asks_again = recent_.asks_again(in_class(work, key), now);
  const bool is_greedy = asks_again || c.has_anything(key);
  // A server that asks no more than one thing at a time was asked for as an address already.
  if (is_after_authentication(work) && !is_greedy) return std::nullopt;
  const auto lag = lag_->lag(now);
  if (!shedding_.refuses(is_greedy ? Shedding::Asker::greedy : Shedding::Asker::modest, lag)) return std::nullopt;
  c.shed_lag.Increment();
  return refusal(c.has_share(key));
}

std::optional<Place> Admission::try_enter(WorkClass work, std::uint64_t key) {
  if (work == WorkClass::unbounded) return Place();
  if (!try_occupy(of(work), key)) return std::nullopt;
  return Place(shared_from_this(), work, key);
}

Task<Result<Place>> Admission::wait(WorkClass work, std::uint64_t key) {
  const auto self = shared_from_this();
  Class& c = of(work);
  const std::size_t mine = c.waiting_of(key);
  if (mine >= c.max_waiting_of_one) {
    c.shed_share.Increment();
    co_return refusal(true);
  }
  if (c.waiting >= c.max_waiting && !c.displace(mine)) {
    c.shed_full.Increment();
    co_return refusal(false);
  }
  const auto now = std::chrono::steady_clock::now();
  const bool long_full = c.waiting > 0 && now - c.waiting_since > c.patience;
  Waiter waiter(*this, c, now + (long_full ? c.short_patience : c.patience), key, true);
  co_await waiter.wait();
  if (waiter.outcome == Waiter::Outcome::admitted) co_return Place(self, work, key);
  const bool displaced = waiter.outcome == Waiter::Outcome::displaced;
  (displaced ? c.shed_share : c.shed_waited).Increment();
  co_return refusal(displaced || c.has_share(key));
}

void Admission::count_gone(WorkClass work) {
  of(work).shed_gone.Increment();
}

void Admission::leave(WorkClass work, std::uint64_t key) {
  if (closed_) return;
  of(work).free(key);
  of(work).admit_waiting();
}

Task<> Admission::enter_again(WorkClass work, std::uint64_t key) {
  const auto self = shared_from_this();
  Waiter waiter(*this, of(work), TimePoint::max(), key, false);
  co_await waiter.wait();
}

// spec: client-server-api#rate-limiting
MatrixError Admission::refusal(bool own_share) {
  auto error = own_share
                   ? make_error(ErrorCode::limit_exceeded, "Too many of your requests are under way. Wait for some.")
                   : make_error(ErrorCode::unknown, 503, "The server is busy. Try again shortly.");
  error.extra["retry_after_ms"] =
      std::uniform_int_distribution<std::int64_t>(earliest_return_ms, latest_return_ms)(returns_);
  return error;
}

Place& Place::operator=(Place&& other) noexcept {
  if (this == &other) return *this;
  leave();
  admission_ = std::move(other.admission_);
  work_ = other.work_;
  key_ = other.key_;
  held_ = std::exchange(other.held_, false);
  return *this;
}

void Place::leave() {
  if (std::exchange(held_, false)) admission_->leave(work_, key_);
}

bool Place::try_enter_again() {
  if (held_ || !admission_) return true;
  held_ = admission_->try_occupy(admission_->of(work_), key_);
  return held_;
}

Task<> Place::enter_again() {
  if (try_enter_again()) co_return;
  co_await admission_->enter_again(work_, key_);
  held_ = true;
}

}  // namespace causeway::http
