// Stands between a client and the test PostgreSQL, and loses replies when told to: what a broken network does to a
// commit.
#pragma once

#include <memory>
#include <string>

namespace causeway::test {

class CuttingProxy {
 public:
  explicit CuttingProxy(const std::string& url);  // of the database, on a unix socket
  ~CuttingProxy();
  CuttingProxy(const CuttingProxy&) = delete;
  CuttingProxy& operator=(const CuttingProxy&) = delete;

  const std::string& url() const;  // the same database through the proxy
  // The next thing the server says is not passed on; its connection ends instead, on both sides.
  void lose_next_reply();
  int replies_lost() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace causeway::test
