// Assertions that stay in release builds: what must hold whatever a client, a peer or the database does.
#pragma once

namespace causeway {
[[noreturn]] void assertion_failed(const char* expression, const char* file, int line);
}

#define CAUSEWAY_ASSERT(expression) \
  (static_cast<bool>(expression) ? void() : ::causeway::assertion_failed(#expression, __FILE__, __LINE__))
