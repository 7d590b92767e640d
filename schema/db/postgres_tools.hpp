// PostgreSQL's own programs (pg_dump, pg_restore, psql), run on a database that is known by its URL.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

namespace causeway::db {

// A child process; whoever starts it waits for it.
class PostgresTool {
 public:
  // From the programs that belong to the database's server, as their versions must fit. Reads and writes these files;
  // -1 is nothing. What the URL says goes through the environment, where no other user sees a password. Throws
  // std::runtime_error when it can't be started, naming the package that lacks.
  PostgresTool(const std::string& url, const std::string& program, const std::vector<std::string>& arguments, int input,
               int output);
  ~PostgresTool();  // ends it, if nobody has waited
  PostgresTool(const PostgresTool&) = delete;
  PostgresTool& operator=(const PostgresTool&) = delete;

  // True: it succeeded. Otherwise it has said why on standard error.
  bool wait();

 private:
  pid_t child_ = -1;
};

}  // namespace causeway::db
