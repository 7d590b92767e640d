// Local users: accounts, devices, tokens, profiles, account data, filters.
#pragma once

#include <boost/json/object.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "homeserver/accounts/shared_secret_registration.hpp"
#include "homeserver/accounts/uia.hpp"
#include "homeserver/events/interner.hpp"
#include "homeserver/http/server.hpp"
#include "homeserver/runtime/clock.hpp"
#include "homeserver/runtime/cpu_pool.hpp"
#include "homeserver/runtime/lanes.hpp"
#include "homeserver/stream/event_writer.hpp"
#include "homeserver/stream/stream_hub.hpp"
#include "schema/crypto/crypto.hpp"
#include "schema/db/database.hpp"

namespace causeway {

struct AccountSettings {
  ServerName server_name;
  bool open_registration = false;      // anyone, with the dummy stage
  bool token_registration = true;      // whoever holds a registration token, with that stage
  bool dummy_without_session = false;  // accept auth {"type": "m.login.dummy"} in one request
  crypto::PasswordCost password_cost;
  std::string registration_shared_secret;  // for /_synapse/admin/v1/register; empty: 404
  std::size_t min_password_length = 8;
  std::size_t max_filter_bytes = 64 << 10;
  std::size_t max_account_data_bytes = 512 << 10;  // of one type
  std::size_t max_user_data_bytes =
      8 << 20;  // all account data of a user; the database is told too (db::bound_account_data)
};

struct Login {
  UserNid user_nid{};
  UserId user;
  std::string access_token;
  std::string device_id;
};

struct Profile {
  std::optional<std::string> display_name, avatar_url;
};

class AccountService final {
 public:
  AccountService(db::Database& database, EventWriter& writer, StreamHub& hub, Interner& interner, CpuPool& cpu,
                 const Clock& clock, UserLanes& account_data_lanes, AccountSettings settings);
  ~AccountService();
  const AccountSettings& settings() const;

  // It has the form of an access token of ours.
  static bool gives_out(std::string_view access_token);
  // M_UNKNOWN_TOKEN (401).
  Task<Result<Requester>> authenticate_token(std::string token);

  // M_USER_IN_USE, M_INVALID_USERNAME. spec: client-server-api#get_matrixclientv3registeravailable
  Task<Result<>> check_available(std::string localpart);
  // M_WEAK_PASSWORD, M_INVALID_PARAM: what people may choose. Accounts made by an administrator are not bound by it.
  Result<> check_new_password(const std::string& password) const;
  struct NewAccount {
    std::optional<std::string> localpart;  // none: made up; capitals become small letters
    std::string password;                  // empty: none, cannot log in with one
    bool is_admin = false;
  };
  Task<Result<UserId>> register_account(NewAccount account);
  // What registering demands; no flows: nobody may.
  UiaPolicy registration_policy() const;
  UiaSessions& uia();
  SharedSecretRegistration& shared_secret_registration();
  // Uses one of the token's registrations up. spec: client-server-api#token-authenticated-registration
  Task<bool> registration_token_valid(std::string token);
  Task<bool> use_registration_token(std::string token);

  // `identifier`: a user ID or localpart. M_FORBIDDEN for any wrong combination, in the time of a right one.
  Task<Result<UserId>> check_password(std::string identifier, std::string password);
  // Makes or takes over the device; tokens it had are invalid from now on.
  Task<Result<Login>> log_in(UserId user, std::optional<std::string> device_id,
                             std::optional<std::string> display_name);
  Task<Result<>> log_out(Requester requester);
  Task<Result<>> log_out_all(UserNid user);
  // `listener` is called whenever access tokens of a user may have become invalid, so that what still waits on their
  // behalf looks again.
  void on_sessions_ended(std::function<void(UserNid user)> listener);

  Task<std::optional<Profile>> profile(UserId local_user);  // none: no such account
  // To be held over a change and telling the user's rooms of it, so that all end with the last one.
  Task<Result<UserLanes::Turn>> profile_turn(UserNid user);
  Task<Result<>> set_display_name(UserNid user, std::optional<std::string> value);
  Task<Result<>> set_avatar_url(UserNid user, std::optional<std::string> value);

  // content is none when it was never set. room: RoomNid{0} for global data. Cached.
  Task<std::optional<std::string>> account_data(UserNid user, RoomNid room, std::string type);
  // M_INVALID_PARAM; M_TOO_LARGE also for what makes a user's account data grow beyond max_user_data_bytes.
  Task<Result<>> set_account_data(UserNid user, RoomNid room, std::string type, boost::json::object content);

  Task<Result<std::string>> add_filter(UserNid user, std::string filter_json);
  Task<std::optional<std::string>> filter(UserNid user, std::string filter_id);

  // The push rules in force, as the content of m.push_rules: the default set until the user's are kept.
  // spec: client-server-api#predefined-rules
  Task<boost::json::object> push_rules(UserNid user, UserId id);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace causeway
