#include "schema/db/tables/account_data.hpp"

#include "homeserver/accounts/account_service_impl.hpp"
#include "schema/json/json.hpp"

namespace causeway {

namespace {

constexpr std::size_t max_type_bytes = 255;

}  // namespace

Task<std::optional<std::string>> AccountService::account_data(UserNid user, RoomNid room, std::string type) {
  AccountDataKey key{user, room, std::move(type)};
  const auto content = co_await impl_->account_data.get(std::move(key));
  co_return *content;
}

Task<std::shared_ptr<AccountService::Impl::AccountData>> AccountService::Impl::load_account_data(AccountDataKey key) {
  auto find = [key](db::Connection& c) { return db::find_account_data(c, key.user, key.room, key.type); };
  auto content = co_await database.run(std::move(find));
  co_return std::make_shared<AccountData>(std::move(content));
}

// What is set already may be set again.
Task<Result<>> AccountService::Impl::check_room_for_type(AccountDataKey key) {
  const auto held = co_await account_data.get(key);
  if (*held) co_return Result<>();
  auto count = [key, limit = settings.max_account_data_types](db::Connection& c) {
    return db::count_account_data(c, key.user, key.room, limit);
  };
  const std::size_t types = co_await database.run(std::move(count));
  if (types < settings.max_account_data_types) co_return Result<>();
  co_return make_error(ErrorCode::resource_limit_exceeded, "A user has at most " +
                                                               std::to_string(settings.max_account_data_types) +
                                                               " types of account data, and as many in each room.");
}

Task<Result<>> AccountService::set_account_data(UserNid user, RoomNid room, std::string type,
                                                boost::json::object content) {
  if (type.empty() || type.size() > max_type_bytes)
    co_return make_error(ErrorCode::invalid_param, "The type of account data has 1 to 255 bytes.");
  std::string text = boost::json::serialize(content);
  if (text.size() > impl_->settings.max_account_data_bytes)
    co_return make_error(ErrorCode::too_large, "Account data of one type has at most " +
                                                   std::to_string(impl_->settings.max_account_data_bytes) + " bytes.");
  const auto turn = co_await impl_->account_data_lanes.enter(user);
  if (!turn) co_return turn.error();
  AccountDataKey key{user, room, type};
  if (auto fits = co_await impl_->check_room_for_type(std::move(key)); !fits) co_return fits;
  // The unit concerns no room's head, so WriteUnit::room stays 0 for a room's data too.
  auto unit = std::make_shared<WriteUnit>();
  unit->account_data.push_back(AccountDataChange{user, room, std::move(type), std::move(text)});
  co_return co_await impl_->writer.commit(std::move(unit));
}

void AccountService::Impl::take_over_account_data(const std::vector<AccountDataChange>& changes) {
  for (const AccountDataChange& change : changes) {
    account_data.put(AccountDataKey{change.user, change.room, change.type},
                     std::make_shared<AccountData>(change.content_json));
  }
}

}  // namespace causeway
