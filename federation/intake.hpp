// Transactions from other servers.
//
// spec: server-server-api#put_matrixfederationv1sendtxnid
#pragma once

#include <memory>

#include "federation/edus/edus.hpp"
#include "federation/gap_filler.hpp"

namespace causeway::federation {

class Intake {
 public:
  struct Services {
    RoomReader& reader;
    RoomService& rooms;
    PduChecker& checker;
    GapFiller& gaps;
    Edus& edus;
    Metrics& metrics;
  };
  explicit Intake(Services services);
  ~Intake();

  // The reply's body: {"pdus": {event_id: {} or {"error": ...}}}. Everything that it does not report as failed is
  // durable. The same transaction again, even while it is being worked on, gets the same reply.
  Task<Result<std::string>> receive(ServerName origin, std::string transaction_id, boost::json::object body);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace causeway::federation
