// Accounts on a database of their own, with a clock that stands still.
#pragma once

#include "homeserver/accounts/account_service.hpp"
#include "homeserver/runtime/metrics.hpp"
#include "homeserver/stream/stream_hub.hpp"
#include "homeserver/test/support/run_task.hpp"
#include "schema/db/tables/server_identity.hpp"
#include "schema/test/support/test_database.hpp"

namespace causeway::test {

class AccountsKit {
 public:
  explicit AccountsKit(AccountSettings settings = usual_settings())
      : database(database_settings(database_.url())),
        writer(reactor.get_executor(), database_.url(), WriterSettings(), hub, metrics),
        interner(database),
        accounts(database, writer, hub, interner, cpu, clock, account_data_lanes, std::move(settings)) {
    hub.start_at(writer.take_over());
    database.run_blocking([](db::Connection& c) { db::claim_server_name(c, usual_settings().server_name); });
  }

  static AccountSettings usual_settings() {
    crypto::initialise();
    AccountSettings settings;
    settings.server_name = ServerName::trusted("example.org");
    settings.open_registration = true;
    settings.password_cost = crypto::PasswordCost::cheapest();
    return settings;
  }

  template <class T>
  T run(Task<T> task) {
    return run_task(reactor, std::move(task));
  }
  void run(Task<> task) { run_task(reactor, std::move(task)); }

  UserId register_user(std::string localpart, std::string password = "correct horse") {
    AccountService::NewAccount account;
    account.localpart = std::move(localpart);
    account.password = std::move(password);
    return run(accounts.register_account(std::move(account))).value();
  }
  Login log_in(UserId user, std::optional<std::string> device_id = {}) {
    return run(accounts.log_in(std::move(user), std::move(device_id), std::nullopt)).value();
  }
  void allow(std::initializer_list<std::string_view> rules) { database_.allow(rules); }
  Result<http::Requester> authenticate(std::string token) { return run(accounts.authenticate_token(std::move(token))); }

 private:
  static db::Settings database_settings(const std::string& url) {
    db::Settings settings;
    settings.url = url;
    return settings;
  }
  TestDatabase database_;

 public:
  asio::io_context reactor;
  ManualClock clock;
  Metrics metrics;
  StreamHub hub;
  db::Database database;
  CpuPool cpu{2};
  EventWriter writer;
  Interner interner;
  UserLanes account_data_lanes{max_waiting_for_user};
  AccountService accounts;
};

}  // namespace causeway::test
