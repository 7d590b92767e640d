// Append-only migrations of the database. A binary holds all it knows; the database records those it has had, with
// checksums.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace causeway::db {

class Connection;

struct Migration {
  int number;        // 1, 2, ... without gaps
  std::string name;  // "0001_initial"
  std::string sql;
};

// All of schema/db/migrations, in order.
const std::vector<Migration>& embedded_migrations();

struct MigrationReport {
  int before = 0;  // number of the last migration the database had had; 0: empty
  int after = 0;
};

// Applies what is missing, each in a transaction of its own, under an advisory lock so that two processes that start at
// once don't collide. Throws std::runtime_error with a sentence for the operator when the database is newer than this
// binary or when a migration it has had is not the one this binary knows by that number.
MigrationReport migrate(Connection& connection, const std::vector<Migration>& migrations = embedded_migrations());

// Throws std::runtime_error with a sentence for the operator when the database has not had exactly the migrations that
// this binary knows.
void require_migrated(Connection& connection);

// True: this database has no tables, of ours or of anybody.
bool is_empty(Connection& connection);

}  // namespace causeway::db
