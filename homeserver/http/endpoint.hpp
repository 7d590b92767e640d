// The table of endpoints: each row says what the pipeline must do before and around its handler.
#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <string>
#include <string_view>

#include "homeserver/http/message.hpp"
#include "schema/async/task.hpp"
#include "schema/matrix/error.hpp"

namespace causeway::http {

enum class Auth {
  none,
  optional_access_token,  // a bad token is an error, no token is not
  access_token,
  federation,  // X-Matrix
};

// Whom an endpoint serves of those who have an access token, beside ordinary users.
enum class Callers : unsigned {
  everyday = 0,
  guests = 1,     // spec: client-server-api#guest-access
  locked = 2,     // spec: client-server-api#account-locking: logging out, and little else
  suspended = 4,  // spec: client-server-api#account-suspension: what they may still do
  admins_only = 8,
};
constexpr Callers operator|(Callers a, Callers b) {
  return static_cast<Callers>(static_cast<unsigned>(a) | static_cast<unsigned>(b));
}
constexpr bool includes(Callers callers, Callers some) {
  return (static_cast<unsigned>(callers) & static_cast<unsigned>(some)) != 0;
}
// M_GUEST_ACCESS_FORBIDDEN, M_USER_LOCKED (401), M_USER_SUSPENDED, M_FORBIDDEN.
Result<> check_may_call(const Requester& requester, Callers callers);

// What becomes of a request's body before the handler runs.
enum class BodyUse {
  in_memory,  // all of it is in Request::body
  streamed,   // the handler takes it from Request::incoming
};

// Token buckets; see RateLimits in server.hpp.
enum class RateClass {
  unlimited,
  read,     // cheap reads
  write,    // most writes
  message,  // sending events
  login,    // login, register: per address, strict
  join,
  federation,  // per origin
};

inline constexpr std::size_t kib = 1024;

// What the rate class says, unless the row of an endpoint says otherwise.
WorkClass work_class_of(RateClass rate);
// For rows.
inline WorkClass heavy_work(const Request&) {
  return WorkClass::heavy;
}
inline WorkClass heavy_federation_work(const Request&) {
  return WorkClass::heavy_federation;
}
inline WorkClass remote_work(const Request&) {
  return WorkClass::remote;
}
inline WorkClass unbounded_work(const Request&) {
  return WorkClass::unbounded;
}

// One row. `path` is the spec's, with {placeholders}: one path segment each. `Api` is the handlers' context: a struct
// of references to services.
template <class Api>
struct Endpoint {
  Verb verb;
  std::string_view path;
  std::string_view operation_id;  // the spec's, also the metrics label
  Auth auth;
  RateClass rate;
  std::size_t body_limit;  // a few KiB are accepted of every request
  Task<Result<Response>> (*handler)(Api&, Request&);
  WorkClass (*work)(const Request&) = nullptr;  // nullptr: work_class_of(rate)
  Callers callers = Callers::everyday;
  BodyUse body = BodyUse::in_memory;
};

// A row without its context's type, as the router holds it.
struct Route {
  Verb verb;
  std::string path;
  std::string_view operation_id;
  Auth auth;
  RateClass rate;
  std::size_t body_limit;
  std::function<Task<Result<Response>>(Request&)> handler;
  WorkClass (*work)(const Request&) = nullptr;
  Callers callers = Callers::everyday;
  BodyUse body = BodyUse::in_memory;
};

// All routes of the process. Matching is by segment; fixed segments win over placeholders. Segments are percent-decoded
// after splitting, so that an encoded '/' does not split. A trailing slash counts: "/a/" has an empty last segment,
// which a placeholder takes as an empty parameter (an empty state key) and a fixed path must spell out (/pushrules/). A
// placeholder takes no other empty segment.
class Router {
 public:
  Router();
  ~Router();

  // `api` must outlive the router.
  template <class Api>
  void add(std::span<const Endpoint<Api>> table, Api& api) {
    for (const auto& row : table) {
      auto handler = row.handler;
      Api* context = &api;
      add(Route{row.verb, std::string(row.path), row.operation_id, row.auth, row.rate, row.body_limit,
                [handler, context](Request& request) { return handler(*context, request); }, row.work, row.callers,
                row.body});
    }
  }
  // Asserts that no other route has this verb and path.
  void add(Route route);

  struct Match {
    const Route* route = nullptr;  // nullptr: see path_known
    bool path_known = false;       // another verb is served at this path: 405
    bool malformed = false;        // not percent-encoded UTF-8: 400
    std::vector<std::string> parameters = {};
    std::vector<Verb> allowed = {};  // the verbs served at this path, when `route` is nullptr
  };
  // HEAD is matched as GET.
  Match match(Verb verb, std::string_view path) const;

  std::vector<const Route*> routes() const;

 private:
  struct Node;
  std::unique_ptr<Node> root_;
};

}  // namespace causeway::http
