#include <algorithm>

#include "homeserver/accounts/account_service_impl.hpp"
#include "schema/db/tables/accounts.hpp"
#include "schema/db/tables/registration_tokens.hpp"
#include "schema/json/json.hpp"

namespace causeway {

namespace {

constexpr std::size_t made_up_localpart_length = 12;
constexpr std::size_t max_password_bytes = 512;
constexpr std::size_t max_registration_token_bytes = 64;

std::string in_small_letters(std::string text) {
  for (char& c : text)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return text;
}

MatrixError user_in_use() {
  return make_error(ErrorCode::user_in_use, "This user name is taken.");
}

}  // namespace

// spec: client-server-api#post_matrixclientv3register: a name is mapped onto a user ID in a logical manner, or refused
Result<UserId> AccountService::Impl::local_user(std::string localpart) const {
  localpart = in_small_letters(std::move(localpart));
  if (!is_strict_localpart(localpart))
    return make_error(ErrorCode::invalid_username,
                      "A user name consists of a-z, 0-9 and the characters . _ = - / + only.");
  const auto user = UserId::parse("@" + localpart + ":" + settings.server_name.str());
  if (!user) return make_error(ErrorCode::invalid_username, "The user ID would be longer than 255 bytes.");
  return *user;
}

Task<Result<>> AccountService::check_available(std::string localpart) {
  const auto user = impl_->local_user(std::move(localpart));
  if (!user) co_return user.error();
  auto find = [id = *user](db::Connection& c) { return db::find_account(c, id).has_value(); };
  const bool taken = co_await impl_->database.run(std::move(find));
  if (taken) co_return user_in_use();
  co_return Result<>();
}

Result<> AccountService::check_new_password(const std::string& password) const {
  if (password.size() < impl_->settings.min_password_length)
    return make_error(
        ErrorCode::weak_password,
        "A password has at least " + std::to_string(impl_->settings.min_password_length) + " characters.");
  if (password.size() > max_password_bytes)
    return make_error(ErrorCode::invalid_param,
                      "A password has at most " + std::to_string(max_password_bytes) + " bytes.");
  return {};
}

Task<Result<UserId>> AccountService::register_account(NewAccount account) {
  if (account.password.size() > max_password_bytes)
    co_return make_error(ErrorCode::invalid_param, "The password is too long.");
  const auto user = impl_->local_user(account.localpart.value_or(crypto::random_token(made_up_localpart_length)));
  if (!user) co_return user.error();
  std::optional<std::string> hash;
  if (!account.password.empty()) {
    auto hashed = co_await impl_->passwords.hash(account.password);
    if (!hashed) co_return hashed.error();
    hash = std::move(*hashed);
  }
  const UserNid nid = co_await impl_->interner.user(*user);
  // NOTSPEC: without a name of their own people are shown by their whole ID, which clients do badly.
  auto insert = [nid, hash, is_admin = account.is_admin, name = std::string(user->localpart()),
                 now = impl_->clock.now_ms()](db::Connection& c) {
    return db::insert_account(c, nid, hash, is_admin, name, now);
  };
  const bool inserted = co_await impl_->database.run(std::move(insert));
  if (!inserted) co_return user_in_use();
  co_return *user;
}

UiaPolicy AccountService::registration_policy() const {
  UiaPolicy policy{.scope = "register", .flows = {}};
  if (impl_->settings.open_registration)
    policy.flows.push_back({&impl_->dummy_stage});
  else if (impl_->settings.token_registration)
    policy.flows.push_back({&impl_->token_stage});
  return policy;
}

Task<bool> AccountService::registration_token_valid(std::string token) {
  if (token.size() > max_registration_token_bytes) co_return false;
  auto look = [token = std::move(token), now = impl_->clock.now_ms()](db::Connection& c) {
    return db::registration_token_valid(c, token, now);
  };
  co_return co_await impl_->database.run(std::move(look));
}

Task<bool> AccountService::use_registration_token(std::string token) {
  auto use = [token = std::move(token), now = impl_->clock.now_ms()](db::Connection& c) {
    return db::use_registration_token(c, token, now);
  };
  co_return co_await impl_->database.run(std::move(use));
}

Task<Result<>> RegistrationTokenStage::check(boost::json::object auth) {
  const auto token = json::required_string(auth, "token");
  if (!token) co_return token.error();
  const bool valid = co_await accounts_.registration_token_valid(*token);
  if (!valid) co_return make_error(ErrorCode::unauthorized, "The registration token is not valid.");
  co_return Result<>();
}

}  // namespace causeway
