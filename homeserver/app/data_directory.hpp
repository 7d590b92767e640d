// The data directory: made, owned and locked before anything in it is used.
#pragma once

#include <sys/types.h>

#include <stdexcept>
#include <string>

namespace causeway {

// A sentence for the operator that names the directory and the remedy.
class DataDirectoryError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// As root, before dropping privileges: makes the directory if need be, gives it and all in it to the user (a copied
// directory may belong to another), and refuses it when the user can't search one of its parents.
void prepare_data_directory(const std::string& path, uid_t user, gid_t group);

// As the user that will use it: makes it if need be (mode 0700), and refuses it when it is not ours to write.
void check_data_directory(const std::string& path);

// Held as long as a server uses the directory. A second server is refused; a killed one leaves no lock behind.
class DataDirectoryLock {
 public:
  explicit DataDirectoryLock(const std::string& path);
  ~DataDirectoryLock();
  DataDirectoryLock(const DataDirectoryLock&) = delete;
  DataDirectoryLock& operator=(const DataDirectoryLock&) = delete;

 private:
  int fd_;
};

}  // namespace causeway
