// What operators ask a running server: GET /health and GET /metrics.
#pragma once

#include <string>
#include <vector>

#include "homeserver/http/endpoint.hpp"
#include "homeserver/runtime/metrics.hpp"
#include "schema/db/database.hpp"

namespace causeway {

// /health: 200 while the database answers, else 503. /metrics: to addresses within `metrics_from` alone, else 403.
void add_operations_endpoints(http::Router& router, db::Database& database, Metrics& metrics,
                              std::vector<std::string> metrics_from);

}  // namespace causeway
