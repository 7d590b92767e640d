#include "homeserver/app/command_database.hpp"

#include "homeserver/app/privileges.hpp"

namespace causeway {

CommandDatabase::CommandDatabase(const Config& config) : url_(config.database_url) {
  if (!url_.empty()) return;
  become_server_user(config);
  url_ = EmbeddedPostgres::url_of_running(config.data_directory);
  if (!url_.empty()) return;
  check_data_directory(config.data_directory);
  lock_.emplace(config.data_directory);
  postgres_.emplace(config.data_directory);
  postgres_->start();
  url_ = postgres_->url();
}

}  // namespace causeway
