// What the project aims at, number by number: the only place where they stand.
#pragma once

#include <span>
#include <string_view>

namespace causeway::bench {

// Something measured in the same run that a finding is compared with: what the machine allows at most, or the same in
// another situation. The time of one is told where it is a rate and the finding a time.
struct Reference {
  std::string_view scenario, what;  // as it was noted
  std::string_view symbol;          // nothing to compare with if empty
  bool is_rate = false;
};

enum class Sense { reported, at_least, at_most };

// So many references, as a machine differs from the next by more than a server from a better one; or, where nothing
// measured says what the machine allows, a figure in the finding's unit.
struct Bound {
  Sense sense = Sense::reported;
  double amount = 0;
  bool of_references = false;
};

struct Aim {
  std::string_view scenario, what;
  std::string_view unit;
  Reference beside;
  Bound bound;
};

std::span<const Aim> all_aims();

}  // namespace causeway::bench
