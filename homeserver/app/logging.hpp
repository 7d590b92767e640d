// Where log lines go and how they look.
#pragma once

#include <string>

namespace causeway {

// Standard error, one line per message; `format` is "text" or "json", `level` one of spdlog's names.
void set_up_logging(const std::string& level, const std::string& format);

}  // namespace causeway
