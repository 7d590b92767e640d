// Requests to other servers in our name: signed, and their replies read as Matrix replies.
#pragma once

#include <boost/json/object.hpp>
#include <chrono>
#include <optional>
#include <string>

#include "federation/http_client.hpp"
#include "homeserver/runtime/cpu_pool.hpp"
#include "homeserver/runtime/local_server.hpp"

namespace causeway::federation {

struct Call {
  ServerName server;
  http::Verb verb = http::Verb::get;
  std::string target;                    // RequestTarget::str()
  std::optional<std::string> body = {};  // canonical JSON
  std::chrono::milliseconds timeout{30'000};
  std::size_t max_response_bytes = 8u << 20;
};

class SignedClient {
 public:
  SignedClient(HttpClient& http, const LocalServer& self, CpuPool& cpu) : http_(http), self_(self), cpu_(cpu) {}

  // The object of a 200 reply. Errors: the peer's own (read_error), M_UNKNOWN 502 where the reply is no such object, or
  // 503 or 504 when none came.
  Task<Result<boost::json::object>> call(Call call);
  // The same in two steps: the text of a 200 reply, and the object it is to be.
  Task<Result<std::string>> fetch(Call call);
  Task<Result<boost::json::object>> parse_reply(std::string body);
  // The same without a signature.
  Task<Result<boost::json::object>> call_unsigned(Call call);

 private:
  Task<Result<std::string>> exchange(Call call, bool sign);
  HttpClient& http_;
  const LocalServer& self_;
  CpuPool& cpu_;
};

// The error that a reply which is not 200 stands for: its status, and as far as it has them errcode, message (cut where
// it is long) and further members. An errcode that ErrorCode does not have, or that says nothing (M_UNKNOWN), is
// M_UNKNOWN with the errcode among the further members. Without any it is M_UNKNOWN too.
MatrixError read_error(unsigned status, std::string_view body);

// True where the peer answered, whatever it said, so that it may know more of other things. False when it could not be
// reached, its gateway could not reach it, or it does not want to be asked now.
bool is_peers_answer(const MatrixError& error);

}  // namespace causeway::federation
