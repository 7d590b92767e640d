#include "homeserver/app/config.hpp"

#define TOML_EXCEPTIONS 1
#include <toml++/toml.h>

#include <sstream>

#include "homeserver/app/config_keys.hpp"

namespace causeway {

namespace {

std::string where(const std::string& path, const toml::node& node, std::string_view key) {
  return path + ":" + std::to_string(node.source().begin.line) + ": " + std::string(key) + ": ";
}

const ConfigKey* find_key(std::string_view name) {
  for (const ConfigKey& key : config_keys())
    if (key.name == name) return &key;
  return nullptr;
}

std::string_view type_name(const ConfigValue& value) {
  constexpr std::string_view names[] = {"true or false", "an integer", "a number", "a string", "a list of strings"};
  return names[value.index()];
}

std::optional<ConfigValue> read_list(const toml::node& node) {
  std::vector<std::string> out;
  const auto* list = node.as_array();
  if (!list) return std::nullopt;
  for (const toml::node& element : *list) {
    if (!element.is_string()) return std::nullopt;
    out.push_back(element.as_string()->get());
  }
  return out;
}

// The node as the type that `like` has.
std::optional<ConfigValue> read(const toml::node& node, const ConfigValue& like) {
  if (std::holds_alternative<bool>(like) && node.is_boolean()) return node.as_boolean()->get();
  if (std::holds_alternative<std::int64_t>(like) && node.is_integer()) return node.as_integer()->get();
  if (std::holds_alternative<double>(like) && node.is_number()) return *node.value<double>();
  if (std::holds_alternative<std::string>(like) && node.is_string()) return node.as_string()->get();
  if (std::holds_alternative<std::vector<std::string>>(like)) return read_list(node);
  return std::nullopt;
}

void apply_section(Config& config, const std::string& path, std::string_view section, const toml::table& table) {
  for (const auto& [name, node] : table) {
    const std::string full = std::string(section) + "." + std::string(name.str());
    const ConfigKey* key = find_key(full);
    if (!key)
      throw ConfigError(where(path, node, full) + "there is no such key (see: causeway config check --defaults)");
    const auto value = read(node, key->fallback);
    if (!value) throw ConfigError(where(path, node, full) + "must be " + std::string(type_name(key->fallback)));
    if (const std::string wrong = key->check(*value); !wrong.empty())
      throw ConfigError(where(path, node, full) + wrong);
    key->store(config, *value);
  }
}

void apply_file(Config& config, const std::string& path) {
  toml::table file;
  try {
    file = toml::parse_file(path);
  } catch (const toml::parse_error& error) {
    throw ConfigError(path + ":" + std::to_string(error.source().begin.line) + ": " + std::string(error.description()));
  }
  for (const auto& [name, node] : file) {
    if (!node.is_table())
      throw ConfigError(where(path, node, name.str()) + "there is no such key; keys stand in sections, e.g. [server]");
    apply_section(config, path, name.str(), *node.as_table());
  }
}

void check_together(const Config& config, const std::string& path) {
  const std::string file = path.empty() ? "the configuration" : path;
  if (config.tls_port != 0 && (config.tls_certificate.empty() || config.tls_key.empty()))
    throw ConfigError(file + ": http.tls_port needs http.tls_certificate and http.tls_key");
  if (config.http_port == 0 && config.tls_port == 0)
    throw ConfigError(file + ": http.port and http.tls_port are both 0: nobody could reach the server");
  if (!config.shared_secret.empty() && !config.shared_secret_file.empty())
    throw ConfigError(file + ": registration.shared_secret and registration.shared_secret_file exclude each other");
}

std::string toml_text(const ConfigValue& value) {
  std::ostringstream out;
  if (const auto* flag = std::get_if<bool>(&value)) out << (*flag ? "true" : "false");
  if (const auto* number = std::get_if<std::int64_t>(&value)) out << *number;
  if (const auto* number = std::get_if<double>(&value)) out << toml::value<double>(*number);
  if (const auto* text = std::get_if<std::string>(&value)) out << toml::value<std::string>(*text);
  if (const auto* list = std::get_if<std::vector<std::string>>(&value)) {
    toml::array array;
    for (const auto& element : *list)
      array.push_back(element);
    out << array;
  }
  return out.str();
}

}  // namespace

Config load_config(const std::string& path) {
  Config config;
  for (const ConfigKey& key : config_keys())
    key.store(config, key.fallback);
  if (!path.empty()) apply_file(config, path);
  check_together(config, path);
  return config;
}

std::string default_config_text() {
  std::string out = "# Every key with its default. Lines that begin with # change nothing.\n";
  std::string section;
  for (const ConfigKey& key : config_keys()) {
    const std::size_t dot = key.name.find('.');
    if (const auto its_section = std::string(key.name.substr(0, dot)); its_section != section) {
      section = its_section;
      out += "\n[" + section + "]\n";
    }
    out += "\n# " + std::string(key.help);
    if (!key.constraint.empty()) out += " (" + std::string(key.constraint) + ")";
    out += "\n# " + std::string(key.name.substr(dot + 1)) + " = " + toml_text(key.fallback) + "\n";
  }
  return out;
}

}  // namespace causeway
