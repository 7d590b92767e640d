#include "homeserver/sync/notifier.hpp"

namespace causeway {

namespace {
// Users whose last wake is remembered although nobody waits for it. Forgetting costs a spurious wake, nothing else.
constexpr std::size_t max_idle_users = 50'000;
}  // namespace

struct Notifier::Impl {
  struct User {
    Ticket woken_at = 0;
    std::vector<asio::steady_timer*> waiters;
  };

  // A timer in its user's list, for as long as somebody waits for it.
  class Waiter {
   public:
    Waiter(Impl& impl, UserNid user, std::chrono::steady_clock::time_point until)
        : timer(impl.reactor, until), impl_(impl), user_(user) {
      impl_.users[user_].waiters.push_back(&timer);
      ++impl_.waiting;
    }
    ~Waiter() {
      --impl_.waiting;
      std::erase(impl_.users[user_].waiters, &timer);
    }
    Waiter(const Waiter&) = delete;
    Waiter& operator=(const Waiter&) = delete;
    asio::steady_timer timer;

   private:
    Impl& impl_;
    UserNid user_;
  };

  explicit Impl(asio::any_io_executor executor) : reactor(std::move(executor)) {}

  // As seldom as the number of users doubles, since it walks them all.
  void forget_idle() {
    if (users.size() < forget_at) return;
    std::erase_if(users, [](const auto& entry) { return entry.second.waiters.empty(); });
    // Whoever has a ticket and does not wait yet is forgotten too, and so is a wake that comes before they wait: those
    // tickets must be older than this.
    forgotten_until = ++sequence;
    forget_at = std::max(max_idle_users, 2 * users.size());
  }

  bool woken_since(UserNid user, Ticket ticket) const {
    if (ticket < forgotten_until) return true;
    auto found = users.find(user);
    return found != users.end() && found->second.woken_at > ticket;
  }

  asio::any_io_executor reactor;
  Ticket sequence = 1;
  Ticket forgotten_until = 0;  // wakes up to here may have been forgotten
  bool draining = false;
  std::unordered_map<UserNid, User> users;
  std::size_t forget_at = max_idle_users;
  std::size_t waiting = 0;
};

Notifier::Notifier(asio::any_io_executor reactor) : impl_(std::make_unique<Impl>(std::move(reactor))) {}
Notifier::~Notifier() = default;

Notifier::Ticket Notifier::ticket(UserNid user) {
  impl_->forget_idle();
  impl_->users.try_emplace(user);
  return impl_->sequence;
}

Task<bool> Notifier::wait(UserNid user, Ticket ticket, std::chrono::steady_clock::time_point until) {
  if (impl_->draining) co_return false;
  if (impl_->woken_since(user, ticket)) co_return true;
  Impl::Waiter waiter(*impl_, user, until);
  co_await expiry(waiter.timer);
  co_return !impl_->draining && impl_->woken_since(user, ticket);
}

void Notifier::wake(UserNid user) {
  auto found = impl_->users.find(user);
  ++impl_->sequence;
  if (found == impl_->users.end()) return;
  found->second.woken_at = impl_->sequence;
  for (auto* timer : found->second.waiters)
    timer->cancel();
}

void Notifier::drain() {
  impl_->draining = true;
  for (auto& [user, entry] : impl_->users)
    for (auto* timer : entry.waiters)
      timer->cancel();
}

std::size_t Notifier::waiting() const {
  return impl_->waiting;
}

}  // namespace causeway
