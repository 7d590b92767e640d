// The names in a directory, made to survive a power cut.
#pragma once

#include <string>

namespace causeway {

// Throws std::runtime_error.
void sync_directory(const std::string& path);

}  // namespace causeway
