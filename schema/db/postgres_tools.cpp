#include "schema/db/postgres_tools.hpp"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <map>
#include <stdexcept>

#include "schema/db/connection_url.hpp"
#include "schema/db/database.hpp"

namespace causeway::db {

namespace {

std::map<std::string, std::string> own_environment() {
  std::map<std::string, std::string> out;
  for (char** entry = environ; *entry; ++entry) {
    const std::string text = *entry;
    const auto equals = text.find('=');
    if (equals != std::string::npos) out[text.substr(0, equals)] = text.substr(equals + 1);
  }
  return out;
}

// With libpq's variables for what the URL says.
std::vector<std::string> environment_for(const std::string& url) {
  auto variables = own_environment();
  for (const auto& option : read_connection_url(url))
    if (!option.environment.empty()) variables[option.environment] = option.value;
  std::vector<std::string> out;
  for (const auto& [name, value] : variables)
    out.push_back(name + "=" + value);
  return out;
}

std::vector<char*> pointers(std::vector<std::string>& strings) {
  std::vector<char*> out;
  for (auto& string : strings)
    out.push_back(string.data());
  out.push_back(nullptr);
  return out;
}

std::string path_of(const std::string& url, const std::string& program) {
  Connection connection(url);
  const int version = connection.exec("show server_version_num")[0][0].as<int>();
  const std::string major = std::to_string(version / 10'000);
  const std::string path = "/usr/lib/postgresql/" + major + "/bin/" + program;
  if (access(path.c_str(), X_OK) != 0)
    throw std::runtime_error(path + " is missing: install postgresql-client-" + major);
  return path;
}

}  // namespace

PostgresTool::PostgresTool(const std::string& url, const std::string& program,
                           const std::vector<std::string>& arguments, int input, int output) {
  const std::string path = path_of(url, program);
  std::vector<std::string> command = {path};
  command.insert(command.end(), arguments.begin(), arguments.end());
  auto environment = environment_for(url);

  posix_spawn_file_actions_t files;
  posix_spawn_file_actions_init(&files);
  const auto attach = [&files](int to, int from) {
    if (from < 0)
      posix_spawn_file_actions_addopen(&files, to, "/dev/null", to == STDIN_FILENO ? O_RDONLY : O_WRONLY, 0);
    else
      posix_spawn_file_actions_adddup2(&files, from, to);
  };
  attach(STDIN_FILENO, input);
  attach(STDOUT_FILENO, output);
  posix_spawn_file_actions_addclosefrom_np(&files, 3);
  const int error =
      posix_spawn(&child_, path.c_str(), &files, nullptr, pointers(command).data(), pointers(environment).data());
  posix_spawn_file_actions_destroy(&files);
  if (error != 0) throw std::runtime_error("can't start " + path + ": " + std::strerror(error));
}

PostgresTool::~PostgresTool() {
  if (child_ <= 0) return;
  kill(child_, SIGTERM);
  wait();
}

bool PostgresTool::wait() {
  int status = 0;
  while (waitpid(child_, &status, 0) < 0 && errno == EINTR) {
  }
  child_ = -1;
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

}  // namespace causeway::db
