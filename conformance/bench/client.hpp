// A Matrix client as lean as a load generator needs: one keep-alive connection, one request at a time.
#pragma once

#include <boost/json/object.hpp>
#include <memory>
#include <string>

#include "schema/async/task.hpp"

namespace causeway::bench {

struct Target {
  std::string host = "127.0.0.1";
  std::string port = "8008";
  bool tls = false;                             // the certificate is not looked at
  static Target parse(const std::string& url);  // http://host:port or https://host:port
};

class Client {
 public:
  Client(asio::any_io_executor executor, Target target);
  ~Client();

  // The reply's body; throws std::runtime_error with the reply unless the status is 200.
  Task<std::string> request(std::string method, std::string path, std::string body = "");
  Task<boost::json::object> json(std::string method, std::string path, boost::json::object body = {});

  Task<> connect();                       // else the first request does
  Task<> log_in_fresh(std::string name);  // registers with the dummy stage
  void use_token(std::string token) { token_ = std::move(token); }
  void hang_up();  // the next request connects anew
  const Target& target() const { return target_; }
  const std::string& token() const { return token_; }
  const std::string& user() const { return user_; }

 private:
  struct Connection;
  Task<std::string> ask(std::string method, std::string path, std::string body);
  template <class Stream>
  Task<std::string> exchange(Stream& stream, std::string method, std::string path, std::string body);
  asio::any_io_executor executor_;
  Target target_;
  std::string token_, user_;
  std::unique_ptr<Connection> connection_;
};

std::string percent_encode(const std::string& text);

}  // namespace causeway::bench
