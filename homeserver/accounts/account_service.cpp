#include "homeserver/accounts/account_service.hpp"

#include "homeserver/accounts/account_service_impl.hpp"
#include "homeserver/accounts/push_rules.hpp"

namespace causeway {

namespace {

// Users who logged in, which may end a device's tokens, or out.
template <class Visit>
void for_each_session_change(const Committed& facts, Visit visit) {
  for_each_change<db::Login>(facts, [&](const auto& login) { visit(login.user); });
  for_each_change<db::Logout>(facts, [&](const auto& logout) { visit(logout.user); });
}

}  // namespace

AccountService::AccountService(db::Database& database, EventWriter& writer, StreamHub& hub, Interner& interner,
                               CpuPool& cpu, const Clock& clock, UserLanes& account_data_lanes,
                               AccountSettings settings)
    : impl_(std::make_unique<Impl>(*this, database, writer, interner, cpu, clock, account_data_lanes,
                                   std::move(settings))) {
  hub.add_listener(Stage::wake, [impl = impl_.get()](const std::vector<CommittedPtr>& commits) {
    if (!impl->sessions_ended) return;
    for (const CommittedPtr& facts : commits)
      for_each_session_change(*facts, [impl](UserNid user) { impl->sessions_ended(user); });
  });
  hub.add_listener(Stage::caches, [impl = impl_.get()](const std::vector<CommittedPtr>& commits) {
    for (const CommittedPtr& facts : commits)
      impl->committed(*facts);
  });
}

AccountService::~AccountService() = default;

void AccountService::Impl::committed(const Committed& facts) {
  for_each_change<db::AccountDataChange>(facts, [this](const auto& change) { take_over(change); });
  for_each_session_change(facts, [this](UserNid user) { tokens.forget(user); });
}

const AccountSettings& AccountService::settings() const {
  return impl_->settings;
}

UiaSessions& AccountService::uia() {
  return impl_->uia;
}

SharedSecretRegistration& AccountService::shared_secret_registration() {
  return impl_->shared_secret;
}

Task<boost::json::object> AccountService::push_rules(UserNid, UserId id) {
  co_return default_push_rules(id);
}

}  // namespace causeway
