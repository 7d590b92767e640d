#include "schema/db/migrations.hpp"

#include <map>
#include <stdexcept>

#include "schema/crypto/crypto.hpp"
#include "schema/db/database.hpp"

namespace causeway::db {

namespace {

// Any constant will do, as long as no other advisory lock of ours has it.
constexpr std::int64_t migration_lock = 0x6361757365770001;

// Neither a migration of a large table, nor waiting for another process's, has a limit that fits all.
constexpr const char* limit_statements = "select set_config('statement_timeout', $1, false)";

std::string checksum(const Migration& migration) {
  return crypto::base64(crypto::as_view(crypto::sha256(migration.sql)));
}

void check_history(const std::map<int, std::string>& had, const std::vector<Migration>& known) {
  for (const auto& [number, sum] : had) {
    if (number > static_cast<int>(known.size()))
      throw std::runtime_error("the database has had migration " + std::to_string(number) +
                               ", but this version of causeway knows only " + std::to_string(known.size()) +
                               ": start the newer version that made it");
    const Migration& migration = known[static_cast<std::size_t>(number) - 1];
    if (checksum(migration) != sum)
      throw std::runtime_error(
          "migration " + migration.name +
          " in the database is not the one this version of causeway knows: it was changed after it "
          "was applied");
  }
}

std::map<int, std::string> read_history(Connection& connection) {
  std::map<int, std::string> had;
  for (const auto& row : connection.exec("select number, checksum from migrations order by number"))
    had.emplace(row[0].as<int>(), row[1].as<std::string>());
  return had;
}

}  // namespace

MigrationReport migrate(Connection& connection, const std::vector<Migration>& migrations) {
  const auto usual = connection.exec("select current_setting('statement_timeout')")[0][0].as<std::string>();
  connection.exec(limit_statements, "0");
  connection.exec("select pg_advisory_lock($1)", migration_lock);
  connection.exec_script(
      "create table if not exists migrations (number int primary key, name text not null, checksum text not null, "
      "applied_at timestamptz not null default now())");
  const auto had = read_history(connection);
  check_history(had, migrations);

  MigrationReport report;
  report.before = report.after = static_cast<int>(had.size());
  for (const Migration& migration : migrations) {
    if (migration.number <= report.before) continue;
    connection.transaction([&](Connection& in) {
      in.exec_script(migration.sql);
      in.exec("insert into migrations (number, name, checksum) values ($1, $2, $3)", migration.number, migration.name,
              checksum(migration));
    });
    report.after = migration.number;
  }
  connection.exec("select pg_advisory_unlock($1)", migration_lock);
  connection.exec(limit_statements, usual);
  return report;
}

void require_migrated(Connection& connection) {
  const bool is_ours = !connection.exec("select to_regclass('migrations')")[0][0].is_null();
  const auto had = is_ours ? read_history(connection) : std::map<int, std::string>();
  check_history(had, embedded_migrations());
  if (had.size() < embedded_migrations().size())
    throw std::runtime_error("the database is not of this version of causeway: run causeway db migrate first");
}

bool is_empty(Connection& connection) {
  const auto rows = connection.exec(
      "select not exists (select from pg_class c join pg_namespace n on n.oid = c.relnamespace"
      " where c.relkind in ('r', 'p', 'v', 'S') and n.nspname !~ '^pg_' and n.nspname <> 'information_schema')");
  return rows[0][0].as<bool>();
}

}  // namespace causeway::db
