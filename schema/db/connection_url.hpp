// libpq's connection strings and URIs.
#pragma once

#include <string>
#include <vector>

namespace causeway::db {

struct ConnectionOption {
  std::string keyword;      // "dbname"
  std::string environment;  // libpq's variable for it; empty: there is none
  std::string value;
};
// What the URL says, and nothing that it leaves out. Throws std::runtime_error if it is neither string nor URI.
std::vector<ConnectionOption> read_connection_url(const std::string& url);

// The same database; connecting and waiting for a server that no longer answers end after a time, as far as the URL
// does not say after which.
std::string with_deadlines(const std::string& url);

}  // namespace causeway::db
