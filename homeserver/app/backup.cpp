#include "homeserver/app/backup.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <functional>
#include <iostream>
#include <optional>
#include <stdexcept>

#include "homeserver/app/command_database.hpp"
#include "homeserver/app/synced_directory.hpp"
#include "schema/db/migrations.hpp"
#include "schema/db/postgres_tools.hpp"
#include "schema/db/tables/lost_spans.hpp"

namespace causeway {

namespace fs = std::filesystem;

namespace {

std::runtime_error failure(const std::string& what) {
  return std::runtime_error("can't " + what + ": " + std::strerror(errno));
}

class FileDescriptor {
 public:
  explicit FileDescriptor(int fd) : fd_(fd) {}
  ~FileDescriptor() { close(); }
  FileDescriptor(const FileDescriptor&) = delete;
  FileDescriptor& operator=(const FileDescriptor&) = delete;
  int get() const { return fd_; }
  void close() {
    if (fd_ > STDERR_FILENO) ::close(fd_);
    fd_ = -1;
  }

 private:
  int fd_;
};

// A file that is written beside its name and gets it once it is complete and synced.
class FreshFile {
 public:
  explicit FreshFile(const fs::path& path)
      : path_(fs::absolute(path)),
        temporary_(path_.string() + ".XXXXXX"),
        fd_(mkostemp(temporary_.data(), O_CLOEXEC)) {  // mode 0600
    if (fd_.get() < 0) throw failure("write beside " + path_.string());
  }
  ~FreshFile() {
    if (!complete_) unlink(temporary_.c_str());
  }
  int fd() const { return fd_.get(); }

  void complete() {
    if (fsync(fd_.get()) != 0) throw failure("sync " + temporary_);
    if (rename(temporary_.c_str(), path_.c_str()) != 0) throw failure("name the backup " + path_.string());
    complete_ = true;
    sync_directory(path_.parent_path());
  }

 private:
  fs::path path_;
  std::string temporary_;
  FileDescriptor fd_;
  bool complete_ = false;
};

volatile sig_atomic_t working_child = 0;

void pass_on(int signal) {
  kill(-static_cast<pid_t>(working_child), signal);
}

// In a child process, which may give up privileges that this one still needs. A signal that asks this one to end ends
// the child and what it started, and then this returns as after any failure.
void in_child(const std::function<void()>& work) {
  const pid_t child = fork();
  if (child < 0) throw failure("start a process");
  if (child == 0) {
    setpgid(0, 0);
    int status = 0;
    try {
      work();
    } catch (const std::exception& error) {
      std::cerr << "causeway: " << error.what() << std::endl;
      status = 1;
    }
    _exit(status);
  }
  setpgid(child, child);  // whichever of the two comes first
  working_child = child;
  for (const int signal : {SIGINT, SIGTERM, SIGHUP})
    std::signal(signal, pass_on);
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  for (const int signal : {SIGINT, SIGTERM, SIGHUP})
    std::signal(signal, SIG_DFL);
  if (status != 0) throw std::runtime_error("no backup was made");
}

void dump(const Config& config, int output) {
  CommandDatabase database(config);
  {
    db::Connection connection(database.url());
    if (!db::can_begin_new_life(connection))
      throw std::runtime_error("this database was not made by this version of causeway: run causeway db migrate first");
  }
  db::PostgresTool pg_dump(database.url(), "pg_dump",
                           {"--format=custom", "--compress=1", "--no-owner", "--no-privileges"}, -1, output);
  if (!pg_dump.wait()) throw std::runtime_error("pg_dump failed");
}

void write_all(int fd, std::string_view data) {
  while (!data.empty()) {
    const ssize_t written = write(fd, data.data(), data.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) throw std::runtime_error("the backup could not be restored; the database is still empty");
    data.remove_prefix(static_cast<std::size_t>(written));
  }
}

void copy_all(int from, int to) {
  std::array<char, 1 << 16> buffer;
  for (;;) {
    const ssize_t got = read(from, buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) throw failure("read what pg_restore writes");
    if (got == 0) return;
    write_all(to, {buffer.data(), static_cast<std::size_t>(got)});
  }
}

struct Pipe {
  Pipe() {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) throw failure("make a pipe");
    read_end.emplace(ends[0]);
    write_end.emplace(ends[1]);
  }
  std::optional<FileDescriptor> read_end, write_end;
};

// One transaction, which only this process commits: pg_restore makes the statements, psql runs them.
void load(const std::string& url, int input) {
  Pipe statements, script;
  db::PostgresTool pg_restore(url, "pg_restore", {"--file=-", "--no-owner", "--no-privileges"}, input,
                              statements.write_end->get());
  db::PostgresTool psql(url, "psql",
                        {"--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--output=/dev/null", "--file=-"},
                        script.read_end->get(), -1);
  statements.write_end->close();
  script.read_end->close();
  write_all(script.write_end->get(), "begin;\n");
  copy_all(statements.read_end->get(), script.write_end->get());
  if (!pg_restore.wait()) throw std::runtime_error("this is no backup, or not all of it; the database is still empty");
  write_all(script.write_end->get(), db::begin_new_life_sql);
  write_all(script.write_end->get(), "commit;\n");
  script.write_end->close();
  if (!psql.wait()) throw std::runtime_error("the backup could not be restored; the database is still empty");
}

}  // namespace

void write_backup(const Config& config, const std::string& file) {
  if (file == "-") return dump(config, STDOUT_FILENO);
  FreshFile fresh(file);
  in_child([&] { dump(config, fresh.fd()); });
  fresh.complete();
}

void restore_backup(const Config& config, const std::string& file) {
  const FileDescriptor input(file == "-" ? STDIN_FILENO : open(file.c_str(), O_RDONLY | O_CLOEXEC));
  if (input.get() < 0) throw failure("read " + file);
  signal(SIGPIPE, SIG_IGN);
  CommandDatabase database(config);
  {
    db::Connection connection(database.url());
    if (!db::is_empty(connection))
      throw std::runtime_error("the database is not empty: a backup is restored into an empty one only");
  }
  load(database.url(), input.get());
}

}  // namespace causeway
