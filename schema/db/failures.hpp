// Telling the database's failures apart, for those who know nothing of libpqxx.
#pragma once

#include <exception>

namespace causeway::db {

// Disk full, out of memory, too many connections: nothing is wrong with the statement, and it did not happen.
bool lacks_resources(const std::exception& error);

// That, or the database is away: the same may succeed later. Whatever else fails would fail again.
bool may_pass(const std::exception& error);

}  // namespace causeway::db
