// One row for each key of the configuration file.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "homeserver/app/config.hpp"

namespace causeway {

using ConfigValue = std::variant<bool, std::int64_t, double, std::string, std::vector<std::string>>;

struct ConfigKey {
  std::string_view name;        // "section.key"
  ConfigValue fallback;         // its alternative is the key's type
  std::string_view constraint;  // in words; "" for none
  // The sentence that says what is wrong, or nothing.
  std::function<std::string(const ConfigValue&)> check;
  std::function<void(Config&, const ConfigValue&)> store;
  std::string_view help;
};

const std::vector<ConfigKey>& config_keys();

}  // namespace causeway
