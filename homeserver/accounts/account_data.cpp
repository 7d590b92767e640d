#include "schema/db/tables/account_data.hpp"

#include "homeserver/accounts/account_service_impl.hpp"
#include "schema/json/json.hpp"

namespace causeway {

namespace {

constexpr std::size_t max_type_bytes = 255;

}  // namespace

Task<std::optional<std::string>> AccountService::account_data(UserNid user, RoomNid room, std::string type) {
  const AccountDataKey key{user, room, std::move(type)};
  if (const auto* known = impl_->account_data.find(key)) co_return **known;
  const std::uint64_t as_of = impl_->account_data.version();
  auto find = [key](db::Connection& c) { return db::find_account_data(c, key.user, key.room, key.type); };
  auto content = co_await impl_->database.run(std::move(find));
  impl_->account_data.put_as_of(as_of, key, std::make_shared<const std::optional<std::string>>(content));
  co_return content;
}

Task<Result<>> AccountService::set_account_data(UserNid user, RoomNid room, std::string type,
                                                boost::json::object content) {
  if (type.empty() || type.size() > max_type_bytes)
    co_return make_error(ErrorCode::invalid_param, "The type of account data has 1 to 255 bytes.");
  std::string text = boost::json::serialize(content);
  if (text.size() > impl_->settings.max_account_data_bytes)
    co_return make_error(ErrorCode::too_large, "Account data of one type has at most " +
                                                   std::to_string(impl_->settings.max_account_data_bytes) + " bytes.");
  // The unit concerns no room's head, so WriteUnit::room stays 0 for a room's data too.
  auto unit = std::make_shared<WriteUnit>();
  unit->account_data.push_back(AccountDataChange{user, room, std::move(type), std::move(text)});
  co_return co_await impl_->writer.commit(std::move(unit));
}

void AccountService::Impl::take_over_account_data(const std::vector<AccountDataChange>& changes) {
  for (const AccountDataChange& change : changes) {
    auto content = std::make_shared<const std::optional<std::string>>(change.content_json);
    account_data.put(AccountDataKey{change.user, change.room, change.type}, std::move(content));
  }
}

}  // namespace causeway
