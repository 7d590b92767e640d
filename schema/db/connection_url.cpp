#include "schema/db/connection_url.hpp"

#include <libpq-fe.h>

#include <algorithm>
#include <memory>
#include <stdexcept>

namespace causeway::db {

namespace {

// The kernel's own patience with a peer that has vanished is a quarter of an hour, and two hours on an idle connection.
// In seconds; tcp_user_timeout in milliseconds.
const ConnectionOption deadlines[] = {
    {"connect_timeout", "", "5"},  {"keepalives_idle", "", "10"},     {"keepalives_interval", "", "5"},
    {"keepalives_count", "", "2"}, {"tcp_user_timeout", "", "20000"},
};

std::string quoted(const std::string& value) {
  std::string out = "'";
  for (char c : value) {
    if (c == '\\' || c == '\'') out += '\\';
    out += c;
  }
  return out + '\'';
}

}  // namespace

std::vector<ConnectionOption> read_connection_url(const std::string& url) {
  char* error = nullptr;
  const std::unique_ptr<PQconninfoOption, decltype(&PQconninfoFree)> parsed(PQconninfoParse(url.c_str(), &error),
                                                                            PQconninfoFree);
  if (!parsed) {
    const std::string why = error ? error : "out of memory";
    PQfreemem(error);
    throw std::runtime_error("database.url: " + why);
  }
  std::vector<ConnectionOption> options;
  for (const auto* option = parsed.get(); option->keyword; ++option)
    if (option->val) options.push_back({option->keyword, option->envvar ? option->envvar : "", option->val});
  return options;
}

std::string with_deadlines(const std::string& url) {
  auto options = read_connection_url(url);
  for (const auto& deadline : deadlines)
    if (std::ranges::find(options, deadline.keyword, &ConnectionOption::keyword) == options.end())
      options.push_back(deadline);
  std::string out;
  for (const auto& option : options)
    out += (out.empty() ? "" : " ") + option.keyword + "=" + quoted(option.value);
  return out;
}

}  // namespace causeway::db
