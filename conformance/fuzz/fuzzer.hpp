// A fuzzer is one function; libFuzzer calls it with inputs that reach new code. What must hold is asserted with
// CAUSEWAY_ASSERT, so that a broken promise ends the program as a crash does.
#pragma once

#include <string_view>

namespace causeway::fuzz {

void run(std::string_view input);

}  // namespace causeway::fuzz
