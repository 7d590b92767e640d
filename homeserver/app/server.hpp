// A server's life: its database, its services, the signals that reach it, its end.
#pragma once

#include "homeserver/app/config.hpp"
#include "homeserver/app/files.hpp"
#include "homeserver/app/privileges.hpp"

namespace causeway {

inline constexpr const char* version_text = CAUSEWAY_VERSION;

// Runs until SIGTERM or SIGINT, then drains: long-polls return, work in flight finishes. Returns the exit status.
int run_server(const Config& config, PrivateFiles files, FileUpdates updates);

}  // namespace causeway
