// Backups: everything in the database as of one moment, in pg_dump's custom format.
#pragma once

#include <string>

#include "homeserver/app/config.hpp"

namespace causeway {

// Online: the server goes on working. The file appears complete and synced or not at all, readable by its owner alone;
// "-" is standard output. Throws std::runtime_error.
void write_backup(const Config& config, const std::string& file);

// Into a database that is empty or not made yet, all or nothing; "-" is standard input. Afterwards the stream begins
// above every position that was ever handed out, so nothing a client remembers is mistaken. Throws std::runtime_error.
void restore_backup(const Config& config, const std::string& file);

}  // namespace causeway
