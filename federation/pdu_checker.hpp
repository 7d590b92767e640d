// The gate that every event from outside passes, whatever path it came by: format, size, signatures, content hash.
//
// spec: server-server-api#checks-performed-on-receipt-of-a-pdu 1 to 3,
//       server-server-api#validating-hashes-and-signatures-on-received-events
#pragma once

#include <boost/json/object.hpp>
#include <vector>

#include "federation/key_ring.hpp"
#include "homeserver/rooms/remote_servers.hpp"
#include "homeserver/runtime/cpu_pool.hpp"
#include "homeserver/runtime/metrics.hpp"

namespace causeway {

// spec: server-server-api#pdus. Older events may cite more others: where history is fetched they are not refused for
// it.
enum class CitationLimits { enforced, lifted };

struct CheckedPdu {
  std::string event_id;         // what its sender calls it, whatever is wrong with it
  Result<VerifiedEvent> event;  // errors: why it is no event of its version, or M_INVALID_SIGNATURE
};

class PduChecker {
 public:
  PduChecker(federation::KeyRing& keys, CpuPool& cpu, Metrics& metrics) : keys_(keys), cpu_(cpu), metrics_(metrics) {}

  // One result for each, in their order.
  Task<std::vector<CheckedPdu>> check(const RoomVersion* version, std::vector<boost::json::object> pdus,
                                      std::optional<ServerName> to_be_signed_by = std::nullopt,
                                      CitationLimits limits = CitationLimits::enforced);
  // `to_be_signed_by`: a required signature that is ours to add, e.g. to a restricted join; it is not asked for.
  Task<Result<VerifiedEvent>> check(const RoomVersion* version, boost::json::object pdu,
                                    std::optional<ServerName> to_be_signed_by = std::nullopt);

  // Those that pass; the others are logged and left out.
  Task<std::vector<VerifiedEvent>> passing(const RoomVersion* version, std::vector<boost::json::object> pdus,
                                           CitationLimits limits = CitationLimits::enforced);

 private:
  struct Candidate;
  void count(const Candidate& candidate);
  Task<> find_keys(std::shared_ptr<std::vector<Candidate>> candidates);
  federation::KeyRing& keys_;
  CpuPool& cpu_;
  Metrics& metrics_;
};

}  // namespace causeway
