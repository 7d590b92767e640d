// What a run has measured so far, and how that compares with the aims.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace causeway::bench {

class Findings {
 public:
  void note(std::string_view scenario, std::string_view what, double value);
  // Why something could not be measured; all that the scenario has not noted if `what` is empty.
  void leave_out(std::string_view scenario, std::string_view what, std::string why);
  std::optional<double> value(std::string_view scenario, std::string_view what) const;
  std::string why_not(std::string_view scenario, std::string_view what) const;

 private:
  using Key = std::pair<std::string, std::string>;
  std::map<Key, double> values_;
  std::map<Key, std::string> left_out_;
};

// One line for each aim of these scenarios: what was measured, the aim, the ratio, whether it is met.
std::string table_of_aims(const Findings& findings, const std::vector<std::string_view>& scenarios);

}  // namespace causeway::bench
