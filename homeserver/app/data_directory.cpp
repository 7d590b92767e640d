#include "homeserver/app/data_directory.hpp"

#include <fcntl.h>
#include <grp.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <thread>
#include <vector>

namespace causeway {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

namespace {

constexpr auto lock_wait = 3s;

std::string why() {
  return std::strerror(errno);
}

void make_directory(const fs::path& path) {
  std::error_code error;
  fs::create_directories(path, error);
  if (error) throw DataDirectoryError("can't make the data directory " + path.string() + ": " + error.message());
}

// The first of these directories that the user can't search, asked by becoming that user in a child process.
std::string first_not_searchable(const std::vector<std::string>& directories, uid_t user, gid_t group) {
  const pid_t child = fork();
  if (child < 0) throw DataDirectoryError("can't start a process: " + why());
  if (child == 0) {
    if (setgroups(0, nullptr) != 0 || setgid(group) != 0 || setuid(user) != 0) _exit(255);
    for (std::size_t i = 0; i < directories.size(); ++i)
      if (access(directories[i].c_str(), X_OK) != 0) _exit(static_cast<int>(i) + 1);
    _exit(0);
  }
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  const int code = WIFEXITED(status) ? WEXITSTATUS(status) : 255;
  if (code == 0) return "";
  return code <= static_cast<int>(directories.size()) ? directories[static_cast<std::size_t>(code) - 1]
                                                      : directories.back();
}

void give_to(const fs::path& path, uid_t user, gid_t group) {
  struct stat info;
  if (lstat(path.c_str(), &info) != 0 || (info.st_uid == user && info.st_gid == group)) return;
  if (lchown(path.c_str(), user, group) != 0)
    throw DataDirectoryError("can't give " + path.string() + " to the user the server runs as: " + why());
}

}  // namespace

void prepare_data_directory(const std::string& path, uid_t user, gid_t group) {
  const fs::path directory = fs::absolute(path).lexically_normal();
  const bool fresh = !fs::exists(directory);
  make_directory(directory);
  std::vector<std::string> parents;
  for (fs::path parent = directory.parent_path(); parent != parent.root_path(); parent = parent.parent_path())
    parents.insert(parents.begin(), parent.string());
  if (!parents.empty() && parents.size() < 250) {
    if (const auto barred = first_not_searchable(parents, user, group); !barred.empty()) {
      if (fresh) fs::remove(directory);
      throw DataDirectoryError(
          "the data directory " + directory.string() +
          " is out of reach: the server does not run as root, and the user it runs as may not enter " + barred +
          ". Allow that (chmod o+x " + barred + ") or choose another directory (server.data_directory, --data)");
    }
  }
  give_to(directory, user, group);
  for (const auto& entry : fs::recursive_directory_iterator(directory))
    give_to(entry.path(), user, group);
}

void check_data_directory(const std::string& path) {
  make_directory(path);
  struct stat info;
  if (stat(path.c_str(), &info) != 0)
    throw DataDirectoryError("can't look at the data directory " + path + ": " + why());
  if (info.st_uid != geteuid())
    throw DataDirectoryError(
        "the data directory " + path +
        " belongs to another user: start causeway as that user or as root, or give it to this one (chown -R)");
  if ((info.st_mode & 0777) != 0700 && chmod(path.c_str(), 0700) != 0)
    throw DataDirectoryError("can't set the mode of the data directory " + path + ": " + why());
}

DataDirectoryLock::DataDirectoryLock(const std::string& path)
    : fd_(open((path + "/lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600)) {
  if (fd_ < 0) throw DataDirectoryError("can't write to the data directory " + path + ": " + why());
  // A server that was killed a moment ago may still be on its way out.
  const auto deadline = std::chrono::steady_clock::now() + lock_wait;
  while (flock(fd_, LOCK_EX | LOCK_NB) != 0) {
    if (std::chrono::steady_clock::now() < deadline) {
      std::this_thread::sleep_for(10ms);
      continue;
    }
    close(fd_);
    throw DataDirectoryError("another causeway is running on the data directory " + path);
  }
}

DataDirectoryLock::~DataDirectoryLock() {
  close(fd_);
}

}  // namespace causeway
