// User-Interactive Authentication: a call goes through once its client has completed all stages of a flow, in order.
// The calls that belong together name a session.
//
// spec: client-server-api#user-interactive-authentication-api
#pragma once

#include <boost/json/object.hpp>
#include <chrono>
#include <deque>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <variant>
#include <vector>

#include "homeserver/runtime/clock.hpp"
#include "schema/async/task.hpp"
#include "schema/matrix/error.hpp"

namespace causeway {

// One thing a client can prove.
class UiaStage {
 public:
  virtual ~UiaStage() = default;
  virtual std::string_view type() const = 0;  // "m.login.dummy"
  // What a client must know before it can try.
  virtual boost::json::object params() const { return {}; }
  // Judges the `auth` object of a call. An error's code and message go into the 401.
  virtual Task<Result<>> check(boost::json::object auth) = 0;
};

// Always succeeds. spec: client-server-api#dummy-auth
class DummyStage final : public UiaStage {
 public:
  std::string_view type() const override { return "m.login.dummy"; }
  Task<Result<>> check(boost::json::object auth) override;
};

using UiaFlow = std::vector<UiaStage*>;

// What a call demands. A session is good for one scope: the operation, and the user where there is one.
struct UiaPolicy {
  std::string scope;
  std::vector<UiaFlow> flows;
};

// The body of the 401 that asks for more.
struct UiaChallenge {
  boost::json::object body;
};
// Everything asked for was proved.
struct UiaPassed {
  std::string session;
  boost::json::object request;                        // the parameters of all calls of the session, without `auth`
  std::map<std::string, boost::json::object> proofs;  // stage -> the `auth` it was completed with
};
using UiaVerdict = std::variant<UiaChallenge, UiaPassed>;

struct UiaSettings {
  std::size_t max_sessions = 4096;
  std::size_t max_bytes = 16 << 20;  // of all sessions
  std::chrono::milliseconds lifetime{20 * 60 * 1000};
  std::size_t max_request_bytes = 32 << 10;  // what all calls of a session bring, and what proves a stage
  bool dummy_without_session = false;        // a first call may complete m.login.dummy at once
};

// The sessions, in memory: a restart makes clients start again.
class UiaSessions {
 public:
  UiaSessions(const Clock& clock, UiaSettings settings) : clock_(clock), settings_(settings) {}

  // `request` is the body of the call, with `auth` if the client sent it. M_BAD_JSON when that is malformed,
  // M_TOO_LARGE when the calls of a session bring too much.
  Task<Result<UiaVerdict>> authenticate(UiaPolicy policy, boost::json::object request);

  // The call succeeded: nothing more can be done with its session. A call that failed may be tried again.
  void finish(const std::string& session) { erase(session); }

 private:
  struct Session {
    std::string scope;
    std::string request_json;
    std::vector<std::string> completed;  // in order
    std::map<std::string, boost::json::object> proofs;
    std::chrono::steady_clock::time_point expires;
    std::size_t bytes = 0;
  };

  Session* find(const std::string& id, const std::string& scope);
  std::string open(const std::string& scope);
  // The session takes so many bytes more. Others, the oldest first, make room.
  void grow(Session& session, std::size_t bytes);
  void erase(const std::string& id);
  // Runs the stage the client asks for, if it is its turn. Nothing: done, or done before.
  Task<Result<>> attempt(const UiaPolicy& policy, const std::string& id, std::string type, boost::json::object auth);
  boost::json::object challenge(const UiaPolicy& policy, const std::string& id, const MatrixError* why) const;

  const Clock& clock_;
  const UiaSettings settings_;
  std::unordered_map<std::string, Session> sessions_;
  std::size_t bytes_ = 0;
  std::deque<std::pair<std::string, std::chrono::steady_clock::time_point>>
      by_age_;  // finished ones too, until they expire
};

}  // namespace causeway
