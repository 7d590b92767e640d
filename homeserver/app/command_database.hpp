// The database that a command of the command line works on.
#pragma once

#include <optional>
#include <string>

#include "homeserver/app/config.hpp"
#include "homeserver/app/data_directory.hpp"
#include "homeserver/app/embedded_postgres.hpp"

namespace causeway {

// The configured one, that of a running server, or the embedded one started for the while. For an embedded one a
// process that is root becomes the server's user.
class CommandDatabase {
 public:
  explicit CommandDatabase(const Config& config);
  const std::string& url() const { return url_; }

 private:
  std::string url_;
  std::optional<DataDirectoryLock> lock_;
  std::optional<EmbeddedPostgres> postgres_;
};

}  // namespace causeway
