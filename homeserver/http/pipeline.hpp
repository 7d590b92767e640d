// What happens to a request between its last byte and the first byte of its reply. Knows no sockets.
#pragma once

#include <boost/asio/ip/address.hpp>

#include "homeserver/http/address.hpp"
#include "homeserver/http/admission.hpp"
#include "homeserver/http/rate_limiter.hpp"
#include "homeserver/http/server.hpp"

namespace causeway::http {

class RequestCounters;

// Who asks, as Admission has it, when the Authorization header is the same again.
struct KnownAsker {
  std::uint64_t authorization = 0;
  std::uint64_t key = 0;
  bool is_known() const { return authorization != 0; }
};

// One request, from its header on, and what the pipeline has found out about it. Lives as long as its handler runs.
struct Exchange {
  Request request;
  Router::Match match;
  std::optional<MatrixError> refusal;  // known from the header alone: no such endpoint, unreadable query
  boost::asio::ip::address client;     // behind proxies too
  std::chrono::steady_clock::time_point started{};
  KnownAsker asker;                       // once it has been authenticated by an access token
  bool may_be_shed = true;                // until that was decided
  bool shed = false;                      // refused because the reactor is late; the log leaves such requests out
  std::function<bool()> client_has_gone;  // asked before the handler runs, if that had to wait
};

class Pipeline {
 public:
  Pipeline(asio::any_io_executor executor, const ServerSettings& settings, const Router& router,
           AccessTokenAuthenticators users, FederationAuthenticator& servers, CpuPool& cpu, const Clock& clock,
           Metrics& metrics);
  ~Pipeline();

  // Once the router has all its routes.
  void start_counters();

  // Fills an exchange whose request has its header.
  void begin(Exchange& exchange, const boost::asio::ip::address& peer);
  // How large the body of this request may be.
  std::uint64_t body_limit(const Exchange& exchange) const;
  // The handler takes the body as it comes.
  static bool streams_body(const Exchange& exchange);

  // The refusal of a request by somebody whom its connection knows, while the reactor is late: then nothing else is
  // done for it. The request goes the usual way if there is none.
  std::optional<Response> shed_at_once(Exchange& exchange, const KnownAsker& known);

  // Runs the handler and whatever stands before and after it. Errors and exceptions end here, as replies.
  Task<Response> answer(std::shared_ptr<Exchange> exchange);

  // Before what it refers to goes.
  void close() { admission_->close(); }

  // The reply to what could not be read as a request.
  Response refuse(const MatrixError& error);

 private:
  struct Call;
  Task<Result<Response>> decide(std::shared_ptr<Exchange> exchange);
  Task<Result<Response>> pass_checks_and_run(std::shared_ptr<Exchange> exchange);
  Task<Result<>> authenticate(std::shared_ptr<Exchange> exchange);
  Task<Result<>> authenticate_origin(std::shared_ptr<Exchange> exchange);
  Result<bool> enter_at_once(Exchange& exchange, WorkClass work, std::uint64_t asker);
  Task<Result<>> wait_for_place(std::shared_ptr<Exchange> exchange, WorkClass work, std::uint64_t asker);
  Task<Result<Response>> run_handler(std::shared_ptr<Exchange> exchange);
  static Task<> call_handler(std::shared_ptr<Call> call);
  Task<Response> encode(std::shared_ptr<Exchange> exchange, Response response);
  Result<> take_from_address(const Exchange& exchange);
  Result<> take_from_class(const Exchange& exchange, const std::string& who);
  Result<> take(RateLimiter& limiter, const std::string& key, std::string_view limit_name);
  void record(const Exchange& exchange, const Response& response);

  asio::any_io_executor executor_;
  const ServerSettings& settings_;
  const Router& router_;
  const AccessTokenAuthenticators users_;
  FederationAuthenticator& servers_;
  CpuPool& cpu_;
  const Clock& clock_;
  AddressRanges trusted_proxies_;
  RateLimiter address_limiter_;
  std::map<RateClass, RateLimiter> class_limiters_;
  std::shared_ptr<RequestCounters> counters_;
  std::shared_ptr<Admission> admission_;
  std::string id_prefix_;
  std::uint64_t next_id_ = 1;
};

}  // namespace causeway::http
