#include "homeserver/app/operations.hpp"

#include "homeserver/http/address.hpp"

namespace causeway {

namespace {

http::Route get(std::string_view path, std::string_view operation,
                std::function<Task<Result<http::Response>>(http::Request&)> handler) {
  return {http::Verb::get,   std::string(path), operation, http::Auth::none, http::RateClass::unlimited, 0,
          std::move(handler)};
}

}  // namespace

void add_operations_endpoints(http::Router& router, db::Database& database, Metrics& metrics,
                              std::vector<std::string> metrics_from) {
  router.add(get("/health", "health", [&database](http::Request&) -> Task<Result<http::Response>> {
    auto probe = [](db::Connection& c) { c.exec("select 1"); };
    co_await database.run(std::move(probe));  // db::Unavailable becomes 503
    co_return http::Response::json({{"status", "ok"}});
  }));
  auto allowed = std::make_shared<http::AddressRanges>(metrics_from);
  router.add(get("/metrics", "metrics", [&metrics, allowed](http::Request& request) -> Task<Result<http::Response>> {
    boost::system::error_code error;
    const auto address = boost::asio::ip::make_address(request.remote_address, error);
    if (error || !allowed->contains(address))
      co_return make_error(ErrorCode::forbidden, "Metrics are not for this address; see http.metrics_from.");
    co_return http::Response{200, "text/plain; version=0.0.4", metrics.text(), {}};
  }));
}

}  // namespace causeway
