// What the parts of AccountService share. For homeserver/accounts/*.cpp alone.
#pragma once

#include "homeserver/accounts/account_service.hpp"
#include "homeserver/accounts/password_hasher.hpp"
#include "homeserver/accounts/sessions/token_cache.hpp"
#include "homeserver/runtime/loading_cache.hpp"
#include "homeserver/stream/committed.hpp"

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

// By how much users' account data grows with the writes under way; one write's part of it.
class AccountDataGrowth {
 public:
  using Users = std::unordered_map<UserNid, std::int64_t>;
  explicit AccountDataGrowth(Users& users) : users_(users) {}
  ~AccountDataGrowth() {
    if (mine_ != 0 && (users_[user_] -= mine_) == 0) users_.erase(user_);
  }
  AccountDataGrowth(const AccountDataGrowth&) = delete;
  AccountDataGrowth& operator=(const AccountDataGrowth&) = delete;

  std::int64_t of(UserNid user) const {
    const auto found = users_.find(user);
    return found == users_.end() ? 0 : found->second;
  }
  void add(UserNid user, std::int64_t bytes) {  // once
    user_ = user;
    mine_ = bytes;
    users_[user] += bytes;
  }

 private:
  Users& users_;
  UserNid user_{};
  std::int64_t mine_ = 0;
};

struct AccountService::Impl {
  static constexpr std::size_t max_cached_account_data_bytes = 64 << 20;
  static constexpr std::size_t max_cached_use_bytes = 4 << 20;

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
  Task<Result<>> change_profile(UserNid user, db::ProfileChange::Field field, std::optional<std::string> value);
  using AccountData = std::optional<std::string>;  // the content; none: not set
  Task<std::shared_ptr<AccountData>> load_account_data(AccountDataKey key);
  Task<std::shared_ptr<std::int64_t>> load_account_data_use(UserNid user);
  // `growth` holds what is still being written on top of what is stored.
  Task<Result<>> reserve(AccountDataGrowth& growth, AccountDataKey key, std::size_t new_bytes);
  // Brings the cache up to what was committed.
  void committed(const Committed& facts);
  void take_over(const db::AccountDataChange& change);

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
  TokenCache tokens;
  std::function<void(UserNid)> sessions_ended;
  LoadingCache<AccountDataKey, AccountData, AccountDataKeyHash> account_data{
      max_cached_account_data_bytes, [this](AccountDataKey key) { return load_account_data(std::move(key)); },
      [](const AccountDataKey& key, const AccountData& data) {
        return 2 * heap_bytes(key.type) + (data ? heap_bytes(*data) : 0);
      }};
  AccountDataGrowth::Users growing_account_data;
  // What a user's account data takes.
  LoadingCache<UserNid, std::int64_t> account_data_uses{max_cached_use_bytes,
                                                        [this](UserNid user) { return load_account_data_use(user); }};
};

}  // namespace causeway
