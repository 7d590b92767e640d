#include "homeserver/accounts/account_service_impl.hpp"
#include "schema/db/tables/accounts.hpp"

namespace causeway {

namespace {

constexpr std::size_t max_profile_field_bytes = 1024;

Result<> check_field(const std::optional<std::string>& value) {
  if (value && value->size() > max_profile_field_bytes)
    return make_error(ErrorCode::invalid_param, "A profile field has at most 1024 bytes.");
  return {};
}

}  // namespace

Task<std::optional<Profile>> AccountService::profile(UserId local_user) {
  auto find = [id = std::move(local_user)](db::Connection& c) { return db::find_account(c, id); };
  const auto account = co_await impl_->database.run(std::move(find));
  if (!account) co_return std::nullopt;
  co_return Profile{account->display_name, account->avatar_url};
}

Task<Result<UserLanes::Turn>> AccountService::profile_turn(UserNid user) {
  return impl_->profile_lanes.enter(user);
}

Task<Result<>> AccountService::set_display_name(UserNid user, std::optional<std::string> value) {
  return impl_->change_profile(user, db::ProfileChange::Field::display_name, std::move(value));
}

Task<Result<>> AccountService::set_avatar_url(UserNid user, std::optional<std::string> value) {
  return impl_->change_profile(user, db::ProfileChange::Field::avatar_url, std::move(value));
}

Task<Result<>> AccountService::Impl::change_profile(UserNid user, db::ProfileChange::Field field,
                                                    std::optional<std::string> value) {
  if (const auto checked = check_field(value); checked.has_error()) co_return checked.error();
  auto unit = std::make_shared<WriteUnit>();
  unit->changes.emplace_back(db::ProfileChange{user, field, std::move(value)});
  co_return co_await writer.commit(std::move(unit));
}

}  // namespace causeway
