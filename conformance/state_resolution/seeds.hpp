// How many random rooms a property test makes. CAUSEWAY_SEEDS: as many; CAUSEWAY_FIRST_SEED: from this one on, to see a
// failure again.
#pragma once

#include <cstdlib>
#include <iostream>
#include <random>

namespace causeway::test {

struct Seeds {
  unsigned first, count;

  explicit Seeds(unsigned default_count)
      : first(from_environment("CAUSEWAY_FIRST_SEED", std::random_device{}() % 1'000'000'000)),
        count(from_environment("CAUSEWAY_SEEDS", default_count)) {
    std::cout << "seeds " << first << " to " << first + count - 1 << std::endl;
  }

 private:
  static unsigned from_environment(const char* name, unsigned otherwise) {
    const char* value = std::getenv(name);
    return value ? static_cast<unsigned>(std::strtoul(value, nullptr, 10)) : otherwise;
  }
};

}  // namespace causeway::test
