// The composition root: the whole object graph of a running server, built in one function.
#pragma once

#include "homeserver/app/config.hpp"
#include "homeserver/app/files.hpp"
#include "homeserver/app/privileges.hpp"

namespace causeway {

inline constexpr const char* version_text = CAUSEWAY_VERSION;

// Runs until SIGTERM or SIGINT, then drains: long-polls return, work in flight finishes. Returns the exit status.
int run_server(const Config& config, PrivateFiles files, FileUpdates updates);

}  // namespace causeway
