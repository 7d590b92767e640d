#include "homeserver/app/command_line.hpp"

#include <termios.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <iostream>

#include "homeserver/accounts/account_service.hpp"
#include "homeserver/app/backup.hpp"
#include "homeserver/app/command_database.hpp"
#include "homeserver/app/logging.hpp"
#include "homeserver/app/server.hpp"
#include "schema/db/consistency.hpp"
#include "schema/db/migrations.hpp"
#include "schema/db/tables/registration_tokens.hpp"
#include "schema/db/tables/server_identity.hpp"

namespace causeway {

namespace {

using namespace std::chrono_literals;

constexpr std::size_t registration_token_length = 24;

struct Options {
  std::string config_path;
  std::string data_directory;
  bool defaults = false;
  std::string file;
  std::string user;
  bool admin = false;
  bool password_from_input = false;
  std::optional<std::int32_t> uses;
  std::optional<std::int32_t> days;
};

Config load(const Options& options) {
  Config config = load_config(options.config_path);
  if (!options.data_directory.empty()) config.data_directory = options.data_directory;
  return config;
}

int serve(const Options& options) {
  const Config config = load(options);
  set_up_logging(config.log_level, config.log_format);
  raise_open_file_limit(config);
  return run_unprivileged(config, [&config](PrivateFiles files, FileUpdates updates) {
    return run_server(config, std::move(files), updates);
  });
}

int check_config(const Options& options) {
  if (options.defaults) {
    std::cout << default_config_text();
    return 0;
  }
  read_private_files(load(options));
  std::cout << "The configuration is good.\n";
  return 0;
}

int migrate(const Options& options) {
  const Config config = load(options);
  set_up_logging(config.log_level, config.log_format);
  CommandDatabase database(config);
  db::Connection connection(database.url());
  const auto report = db::migrate(connection);
  std::cout << "The database is at version " << report.after << " (was " << report.before << ").\n";
  return 0;
}

int check_database(const Options& options) {
  const Config config = load(options);
  set_up_logging("warn", config.log_format);
  CommandDatabase database(config);
  db::Connection connection(database.url());
  db::require_migrated(connection);
  const auto findings = db::check_consistency(connection);
  std::cout << db::to_text(findings);
  if (!findings.empty()) return 1;
  std::cout << "The database is consistent.\n";
  return 0;
}

int back_up(const Options& options) {
  const Config config = load(options);
  set_up_logging("warn", config.log_format);
  write_backup(config, options.file);
  return 0;
}

int restore(const Options& options) {
  const Config config = load(options);
  set_up_logging("warn", config.log_format);
  restore_backup(config, options.file);
  std::cout << "The backup is restored. Start the server.\n";
  return 0;
}

// Without echo when a person types it.
std::string ask_for_password(bool from_input) {
  const bool terminal = !from_input && isatty(STDIN_FILENO);
  termios before{};
  if (terminal) {
    std::cerr << "Password: " << std::flush;
    tcgetattr(STDIN_FILENO, &before);
    termios silent = before;
    silent.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    tcsetattr(STDIN_FILENO, TCSANOW, &silent);
  }
  std::string password;
  std::getline(std::cin, password);
  if (terminal) {
    tcsetattr(STDIN_FILENO, TCSANOW, &before);
    std::cerr << "\n";
  }
  return password;
}

struct IgnoreCommits final : CommitSink {
  void committed(const std::vector<CommittedPtr>&) override {}
};

int create_user(const Options& options) {
  const Config config = load(options);
  set_up_logging("warn", config.log_format);
  crypto::initialise();
  AccountService::NewAccount account;
  account.localpart = options.user;
  account.password = ask_for_password(options.password_from_input);
  account.is_admin = options.admin;
  if (account.password.size() < static_cast<std::size_t>(config.min_password_length)) {
    std::cerr << "The password must have at least " << config.min_password_length << " characters.\n";
    return 1;
  }

  CommandDatabase where(config);
  SystemClock clock;
  Metrics metrics;
  db::Settings settings;
  settings.url = where.url();
  settings.connections = 1;
  db::Database database(settings);
  database.run_blocking([&](db::Connection& c) {
    db::migrate(c);
    db::claim_server_name(c, ServerName::trusted(config.server_name));
  });
  asio::io_context reactor;
  IgnoreCommits nobody;
  StreamHub hub;
  // Never used: making an account writes nothing to the stream, and taking it over would stop a running server.
  EventWriter writer(reactor.get_executor(), where.url(), {}, nobody, metrics);
  Interner interner(database);
  CpuPool cpu(1);
  AccountSettings account_settings;
  account_settings.server_name = ServerName::trusted(config.server_name);
  account_settings.min_password_length = static_cast<std::size_t>(config.min_password_length);
  UserLanes lanes(max_waiting_for_user);
  AccountService accounts(database, writer, hub, interner, cpu, clock, lanes, account_settings);

  std::optional<Result<UserId>> made;
  const auto keep = [&made](std::exception_ptr error, Result<UserId> result) {
    if (error) std::rethrow_exception(error);
    made = std::move(result);
  };
  spawn(reactor, accounts.register_account(std::move(account)), keep);
  while (!made)
    reactor.run_one();
  if (!*made) {
    std::cerr << made->error().message << "\n";
    return 1;
  }
  std::cout << (*made)->str() << "\n";
  return 0;
}

// spec: client-server-api#token-authenticated-registration
int make_registration_token(const Options& options) {
  const Config config = load(options);
  set_up_logging("warn", config.log_format);
  crypto::initialise();
  CommandDatabase where(config);
  db::Connection connection(where.url());
  db::migrate(connection);
  std::optional<Timestamp> expires;
  if (options.days) expires = SystemClock().now_ms() + std::chrono::milliseconds(24h * *options.days).count();
  const std::string token = crypto::random_token(registration_token_length);
  db::insert_registration_token(connection, token, options.uses, expires);
  std::cout << token << "\n";
  return 0;
}

}  // namespace

int run_command_line(int argc, char** argv) {
  Options options;
  std::function<int(const Options&)> command;
  CLI::App app("Causeway, a Matrix homeserver");
  app.require_subcommand(1);
  const auto add_common = [&options](CLI::App* to) {
    to->add_option("-c,--config", options.config_path, "Configuration file; without one everything has its default");
    to->add_option("--data", options.data_directory, "Data directory, instead of the configured one");
  };
  const auto runs = [&command](CLI::App* sub, int (*function)(const Options&)) {
    sub->callback([&command, function] { command = function; });
  };

  auto* serving =
      app.add_subcommand("serve", "Run the server until SIGTERM or SIGINT; SIGHUP reads certificates again");
  add_common(serving);
  runs(serving, serve);

  auto* user = app.add_subcommand("user", "Accounts")->require_subcommand(1);
  auto* create = user->add_subcommand("create", "Make an account; asks for the password. Works while the server runs");
  add_common(create);
  create->add_option("name", options.user, "The part before the colon: alice")->required();
  create->add_flag("--admin", options.admin, "An administrator of the server");
  create->add_flag("--password-stdin", options.password_from_input, "Read the password from standard input");
  runs(create, create_user);

  auto* token = user->add_subcommand("token", "Make a registration token, with which people can register themselves");
  add_common(token);
  token->add_option("--uses", options.uses, "How many accounts it is good for; any number unless given")
      ->check(CLI::PositiveNumber);
  token->add_option("--days", options.days, "How long it is good for; for ever unless given")
      ->check(CLI::PositiveNumber);
  runs(token, make_registration_token);

  auto* config = app.add_subcommand("config", "Configuration")->require_subcommand(1);
  auto* check = config->add_subcommand("check", "Say whether a configuration is good, or what is wrong with it");
  add_common(check);
  check->add_flag("--defaults", options.defaults, "Print a commented file with every key and its default instead");
  runs(check, check_config);

  auto* database = app.add_subcommand("db", "Database")->require_subcommand(1);
  auto* migration = database->add_subcommand("migrate", "Bring the database to this version; serve does so too");
  add_common(migration);
  runs(migration, migrate);

  auto* checking = database->add_subcommand(
      "check", "Say where the database contradicts itself, and exit with 1 if it does. Works while the server runs");
  add_common(checking);
  runs(checking, check_database);

  auto* backing_up = app.add_subcommand("backup", "Write everything in the database to a file, while the server runs");
  add_common(backing_up);
  backing_up->add_option("file", options.file, "Where to; - is standard output. It holds the server's secrets")
      ->required();
  runs(backing_up, back_up);

  auto* restoring = app.add_subcommand("restore", "Put a backup into a database that is empty or not made yet");
  add_common(restoring);
  restoring->add_option("file", options.file, "What backup wrote; - is standard input")->required();
  runs(restoring, restore);

  runs(app.add_subcommand("version", "Print the version"), [](const Options&) {
    std::cout << "causeway " << version_text << "\n";
    return 0;
  });

  try {
    app.parse(argc, argv);
    return command(options);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  } catch (const ConfigError& error) {
    std::cerr << "causeway: " << error.what() << "\n";
    return 2;
  } catch (const std::exception& error) {
    std::cerr << "causeway: " << error.what() << "\n";
    return 1;
  }
}

}  // namespace causeway
