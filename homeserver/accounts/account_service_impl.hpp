// What the parts of AccountService share. For homeserver/accounts/*.cpp alone.
#pragma once

#include <cstring>

#include "homeserver/accounts/account_service.hpp"
#include "homeserver/accounts/password_hasher.hpp"
#include "homeserver/runtime/bounded_cache.hpp"
#include "homeserver/runtime/loading_cache.hpp"

namespace causeway {

// spec: client-server-api#token-authenticated-registration
class RegistrationTokenStage final : public UiaStage {
 public:
  explicit RegistrationTokenStage(AccountService& accounts) : accounts_(accounts) {}
  std::string_view type() const override { return "m.login.registration_token"; }
  Task<Result<>> check(boost::json::object auth) override;

 private:
  AccountService& accounts_;
};

// A hash is as random as it gets: its first bytes do.
struct TokenHashHash {
  std::size_t operator()(const crypto::Sha256& hash) const noexcept {
    std::size_t first = 0;
    std::memcpy(&first, hash.data(), sizeof first);
    return first;
  }
};

struct AccountDataKey {
  UserNid user{};
  RoomNid room{};
  std::string type;
  bool operator==(const AccountDataKey&) const = default;
};
struct AccountDataKeyHash {
  std::size_t operator()(const AccountDataKey& key) const noexcept {
    std::size_t hash = std::hash<std::string>()(key.type);
    hash = hash * 1'000'003 ^ static_cast<std::size_t>(to_int(key.user));
    return hash * 1'000'003 ^ static_cast<std::size_t>(to_int(key.room));
  }
};

struct AccountService::Impl {
  static constexpr std::size_t max_cached_account_data_bytes = 64 << 20;
  static constexpr std::size_t cached_entry_bytes = 512;  // an entry without its content

  Impl(AccountService& self, db::Database& d, EventWriter& w, Interner& i, CpuPool& cpu, const Clock& c, UserLanes& l,
       AccountSettings s)
      : database(d),
        writer(w),
        interner(i),
        clock(c),
        account_data_lanes(l),
        settings(std::move(s)),
        passwords(cpu, settings.password_cost),
        token_stage(self),
        uia(c, UiaSettings{.dummy_without_session = settings.dummy_without_session}),
        shared_secret(c, settings.registration_shared_secret) {}

  // M_INVALID_USERNAME. Capitals become small letters.
  Result<UserId> local_user(std::string localpart) const;
  // Whom a login's `user` means: a user ID of this server or a localpart. Any error: nobody.
  Result<UserId> identified_user(const std::string& identifier) const;
  void forget_tokens(const std::vector<crypto::Sha256>& hashes);
  using AccountData = std::optional<std::string>;  // the content; none: not set
  Task<std::shared_ptr<AccountData>> load_account_data(AccountDataKey key);
  Task<Result<>> check_room_for_type(AccountDataKey key);
  // Brings the cache up to what was committed.
  void take_over_account_data(const std::vector<AccountDataChange>& changes);

  db::Database& database;
  EventWriter& writer;
  Interner& interner;
  const Clock& clock;
  UserLanes& account_data_lanes;
  UserLanes profile_lanes{max_waiting_for_user};
  const AccountSettings settings;
  PasswordHasher passwords;
  DummyStage dummy_stage;
  RegistrationTokenStage token_stage;
  UiaSessions uia;
  SharedSecretRegistration shared_secret;
  BoundedCache<crypto::Sha256, http::Requester, TokenHashHash> tokens{50'000};
  LoadingCache<AccountDataKey, AccountData, AccountDataKeyHash> account_data{
      max_cached_account_data_bytes, [this](AccountDataKey key) { return load_account_data(std::move(key)); },
      [](const AccountData& data) { return cached_entry_bytes + (data ? data->size() : 0); }};
};

}  // namespace causeway
