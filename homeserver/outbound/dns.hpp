// Name resolution: a seam, and c-ares behind it.
#pragma once

#include <boost/asio/ip/address.hpp>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "schema/async/task.hpp"
#include "schema/matrix/error.hpp"

namespace causeway::outbound {

struct SrvRecord {
  std::uint16_t priority = 0;
  std::uint16_t weight = 0;
  std::uint16_t port = 0;
  std::string target;
};

class Dns {
 public:
  virtual ~Dns() = default;
  // Empty when there is no such record; an error when that could not be found out.
  virtual Task<Result<std::vector<SrvRecord>>> srv(std::string name) = 0;
  // IPv6 and IPv4, the preferred first. Never empty.
  virtual Task<Result<std::vector<asio::ip::address>>> addresses(std::string host) = 0;
};

// All queries run side by side on one thread of its own. Honours /etc/hosts and /etc/resolv.conf.
class CaresDns final : public Dns {
 public:
  CaresDns();
  ~CaresDns() override;
  Task<Result<std::vector<SrvRecord>>> srv(std::string name) override;
  Task<Result<std::vector<asio::ip::address>>> addresses(std::string host) override;

 private:
  class Worker;
  std::unique_ptr<Worker> worker_;
};

// The order in which to try them: by priority, within one at random by weight. spec: RFC 2782
std::vector<SrvRecord> in_order(std::vector<SrvRecord> records);

}  // namespace causeway::outbound
