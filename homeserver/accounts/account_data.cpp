#include "schema/db/tables/account_data.hpp"

#include "homeserver/accounts/account_service_impl.hpp"
#include "schema/json/json.hpp"

namespace causeway {

namespace {

constexpr std::size_t max_type_bytes = 255;

MatrixError full() {
  return make_error(ErrorCode::too_large,
                    "That is more account data than a user may store here. Nothing that is stored has changed; store "
                    "something smaller, or make other account data smaller first.");
}

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

Task<std::shared_ptr<std::int64_t>> AccountService::Impl::load_account_data_use(UserNid user) {
  auto read = [user](db::Connection& c) { return db::account_data_use(c, user); };
  const std::int64_t bytes = co_await database.run(std::move(read));
  co_return std::make_shared<std::int64_t>(bytes);
}

// The commit is what enforces this (migrations/0013_account_data_use.sql); but a refusal there costs everybody in its
// batch a round trip.
Task<Result<>> AccountService::Impl::reserve(AccountDataGrowth& growth, AccountDataKey key, std::size_t new_bytes) {
  const auto held = co_await account_data.get(key);
  const std::size_t old_bytes = *held ? db::account_data_bytes(key.type, **held) : 0;
  if (new_bytes <= old_bytes) co_return Result<>();
  const auto more = static_cast<std::int64_t>(new_bytes - old_bytes);
  const auto most = static_cast<std::int64_t>(settings.max_user_data_bytes);
  auto use = co_await account_data_uses.get(key.user);
  if (*use + growth.of(key.user) + more > most) {
    // What is remembered may count a commit twice that was under way when it was read.
    account_data_uses.drop(key.user);
    use = co_await account_data_uses.get(key.user);
  }
  if (*use + growth.of(key.user) + more > most) co_return full();
  growth.add(key.user, more);
  co_return Result<>();
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
  const std::size_t bytes = db::account_data_bytes(type, text);
  AccountDataGrowth growth(impl_->growing_account_data);
  if (auto fits = co_await impl_->reserve(growth, std::move(key), bytes); !fits) co_return fits;
  // The unit concerns no room's head, so WriteUnit::room stays 0 for a room's data too.
  auto unit = std::make_shared<WriteUnit>();
  unit->changes.emplace_back(db::AccountDataChange{user, room, std::move(type), std::move(text)});
  const Written written = co_await impl_->writer.commit(std::move(unit));
  // There is nothing else that it can be refused for.
  if (written.failure() == WriteFailure::refused) co_return full();
  co_return written;
}

void AccountService::Impl::take_over(const db::AccountDataChange& change) {
  const AccountDataKey key{change.user, change.room, change.type};
  const auto held = account_data.find(key);
  if (held) {
    const auto bytes = static_cast<std::int64_t>(db::account_data_bytes(change.type, change.content_json));
    const auto before = static_cast<std::int64_t>(*held ? db::account_data_bytes(change.type, **held) : 0);
    account_data_uses.change(change.user, [&](std::int64_t& use) { use += bytes - before; });
  } else {
    account_data_uses.drop(change.user);
  }
  account_data.put(key, std::make_shared<AccountData>(change.content_json));
}

}  // namespace causeway
