#include "homeserver/accounts/account_service.hpp"

#include "homeserver/accounts/account_service_impl.hpp"
#include "homeserver/accounts/push_rules.hpp"

namespace causeway {

AccountService::AccountService(db::Database& database, EventWriter& writer, StreamHub& hub, Interner& interner,
                               CpuPool& cpu, const Clock& clock, UserLanes& account_data_lanes,
                               AccountSettings settings)
    : impl_(std::make_unique<Impl>(*this, database, writer, interner, cpu, clock, account_data_lanes,
                                   std::move(settings))) {
  hub.add_listener([impl = impl_.get()](StreamPosition, const std::vector<WriteUnitPtr>& units) {
    for (const WriteUnitPtr& unit : units)
      impl->take_over_account_data(unit->account_data);
  });
}

AccountService::~AccountService() = default;

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
