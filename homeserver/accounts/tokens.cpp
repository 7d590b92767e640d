#include "homeserver/accounts/account_service_impl.hpp"
#include "schema/db/tables/accounts.hpp"
#include "schema/db/tables/devices.hpp"

namespace causeway {

namespace {

constexpr std::size_t token_length = 43;  // 256 bits of [A-Za-z0-9]
constexpr std::size_t device_id_length = 10;
constexpr std::size_t max_device_id_bytes = 255;
constexpr std::size_t max_device_display_name_bytes = 255;

MatrixError wrong_credentials() {
  return make_error(ErrorCode::forbidden, "The user name or the password is wrong.");
}
MatrixError deactivated() {
  return make_error(ErrorCode::user_deactivated, 403, "This account has been deactivated.");
}

}  // namespace

Result<UserId> AccountService::Impl::identified_user(const std::string& identifier) const {
  if (!identifier.starts_with('@')) return local_user(identifier);
  const auto user = UserId::parse(identifier);
  if (!user) return user.error();
  if (user->server() != settings.server_name.str()) return wrong_credentials();
  return local_user(std::string(user->localpart()));
}

void AccountService::on_sessions_ended(std::function<void(UserNid user)> listener) {
  impl_->sessions_ended = std::move(listener);
}

bool AccountService::gives_out(std::string_view access_token) {
  return access_token.size() == token_length;
}

Task<Result<Requester>> AccountService::authenticate_token(std::string token) {
  const auto unknown = [] { return make_error(ErrorCode::unknown_token, "The access token is not known."); };
  if (!gives_out(token)) co_return unknown();
  const crypto::Sha256 hash = crypto::sha256(token);
  if (const Requester* known = impl_->tokens.find(hash)) co_return *known;
  const std::uint64_t as_of = impl_->tokens.version();
  auto look = [hash](db::Connection& c) { return db::find_token_owner(c, hash); };
  auto owner = co_await impl_->database.run(std::move(look));
  if (!owner) co_return unknown();
  Requester requester{owner->user, owner->user_id, owner->device, owner->device_id, owner->is_admin};
  impl_->tokens.put_as_of(as_of, hash, requester);
  co_return requester;
}

Task<Result<UserId>> AccountService::check_password(std::string identifier, std::string password) {
  const auto user = impl_->identified_user(identifier);
  std::optional<db::Account> account;
  if (user) {
    auto find = [id = *user](db::Connection& c) { return db::find_account(c, id); };
    account = co_await impl_->database.run(std::move(find));
  }
  // Whether there is such an account must not show in the time this takes.
  auto hash = account ? account->password_hash : std::nullopt;
  const auto matches = co_await impl_->passwords.matches(std::move(password), std::move(hash));
  if (!matches) co_return matches.error();
  if (!*matches) co_return wrong_credentials();
  if (account->deactivated) co_return deactivated();
  co_return *user;
}

Task<Result<Login>> AccountService::log_in(UserId user, std::optional<std::string> device_id,
                                           std::optional<std::string> display_name) {
  const std::string device = device_id.value_or(crypto::random_token(device_id_length));
  if (device.empty() || device.size() > max_device_id_bytes)
    co_return make_error(ErrorCode::invalid_param, "A device ID has 1 to 255 bytes.");
  if (display_name && display_name->size() > max_device_display_name_bytes)
    co_return make_error(ErrorCode::invalid_param, "A device's display name has at most 255 bytes.");
  const std::string token = crypto::random_token(token_length);
  auto find = [user](db::Connection& c) { return db::find_account(c, user); };
  const auto account = co_await impl_->database.run(std::move(find));
  if (!account) co_return wrong_credentials();
  if (account->deactivated) co_return deactivated();
  // spec: client-server-api#relationship-between-access-tokens-and-devices: the tokens that the device had end with it.
  db::Login login;
  login.user = account->user;
  login.device_id = device;
  login.display_name = std::move(display_name);
  login.token_hash = crypto::sha256(token);
  login.ts = impl_->clock.now_ms();
  auto unit = std::make_shared<WriteUnit>();
  unit->changes.emplace_back(std::move(login));
  const Written written = co_await impl_->writer.commit(std::move(unit));
  if (!written) co_return written.error();
  co_return Login{account->user, user, token, device};
}

// spec: client-server-api#post_matrixclientv3logout: the device goes with its tokens.
Task<Result<>> AccountService::log_out(Requester requester) {
  auto unit = std::make_shared<WriteUnit>();
  unit->changes.emplace_back(db::Logout{requester.user_nid, requester.device_nid});
  co_return co_await impl_->writer.commit(std::move(unit));
}

Task<Result<>> AccountService::log_out_all(UserNid user) {
  auto unit = std::make_shared<WriteUnit>();
  unit->changes.emplace_back(db::Logout{user, std::nullopt});
  co_return co_await impl_->writer.commit(std::move(unit));
}

}  // namespace causeway
