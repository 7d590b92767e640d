#include "federation/pdu_checker.hpp"

#include <prometheus/counter.h>

#include <set>

#include "homeserver/runtime/concurrency.hpp"
#include "schema/events/signing.hpp"
#include "schema/log.hpp"

namespace causeway {

namespace {

constexpr std::size_t chunk_size = 128;  // events per job of the CPU pool
constexpr std::size_t chunks_at_once = 4;
constexpr std::size_t key_fetches_at_once = 32;  // servers
constexpr std::size_t max_signatures_per_signer = 8;

bool cites_too_many(const Event& event) {
  return event.prev_events().size() > max_prev_events || event.auth_events().size() > max_auth_events;
}

// A signature with what it takes to judge it. No key: skipped.
struct Signature {
  EventSignature given;
  std::optional<std::string> public_key;
};

}  // namespace

// A PDU on its way through the checks.
struct PduChecker::Candidate {
  boost::json::object pdu;
  EventPtr event;
  std::string signed_text;
  std::string id;
  bool hash_mismatch = false;
  bool is_read = false;
  std::vector<std::pair<ServerName, std::vector<Signature>>> signers;  // required ones
  // Nothing but the end of verify() takes this away: what breaks off on the way has not passed.
  std::optional<MatrixError> refused = make_error(ErrorCode::bad_json, "The event can't be read.");

  void read(const RoomVersion& version, const std::optional<ServerName>& to_be_signed_by, CitationLimits limits) {
    // From version 3 on it is not part of events, nor of what their hashes are over.
    if (version.event_format == EventFormat::v3) pdu.erase("event_id");
    hash_mismatch = !content_hash_matches(pdu);
    auto parsed = Event::parse_pdu(version, pdu);
    if (!parsed) {
      refused = parsed.error();
      id = pdu_id(version, pdu);
      return;
    }
    event = std::move(parsed->event);
    id = event->id().str();
    if (limits == CitationLimits::enforced && cites_too_many(*event)) {
      refused = make_error(ErrorCode::bad_json, "The event cites more others than an event may.");
      return;
    }
    signed_text = std::move(parsed->signed_bytes);
    for (auto& server : required_signers(*event)) {
      if (server == to_be_signed_by) continue;
      std::vector<Signature> signatures;
      for (auto& given : signatures_of(pdu, server))
        if (signatures.size() < max_signatures_per_signer) signatures.push_back({std::move(given), std::nullopt});
      signers.emplace_back(std::move(server), std::move(signatures));
    }
    is_read = true;
  }

  void verify() {
    if (!is_read) return;
    for (const auto& [server, signatures] : signers)
      if (!signed_by(signatures, signed_text)) {
        refused = make_error(ErrorCode::invalid_signature, 400,
                             "Event " + event->id().str() + " has no valid signature of " + server.str() + ".");
        return;
      }
    // spec: server-server-api#validating-hashes-and-signatures-on-received-events: assumed to be redacted.
    if (hash_mismatch) event = redact(*event);
    refused.reset();
  }

  // Signatures by unknown or expired keys are skipped; at least one must be left, and all that are left must be right.
  static bool signed_by(const std::vector<Signature>& signatures, const std::string& bytes) {
    bool found = false;
    for (const auto& signature : signatures) {
      if (!signature.public_key) continue;
      if (!crypto::verify(*signature.public_key, bytes, signature.given.signature)) return false;
      found = true;
    }
    return found;
  }
};

namespace {

// Runs `step` over the candidates on the CPU pool, in chunks.
template <class Candidate, class Step>
Task<> in_chunks(CpuPool& cpu, std::shared_ptr<std::vector<Candidate>> candidates, Step step) {
  const std::size_t chunks = (candidates->size() + chunk_size - 1) / chunk_size;
  std::function<Task<>(std::size_t)> job = [&cpu, candidates, step](std::size_t index) -> Task<> {
    auto work = [candidates, step, index] {
      const std::size_t end = std::min(candidates->size(), (index + 1) * chunk_size);
      for (std::size_t i = index * chunk_size; i < end; ++i)
        step((*candidates)[i]);
    };
    co_await cpu.run(std::move(work));
  };
  co_await for_each_concurrently(chunks, chunks_at_once, std::move(job));
}

}  // namespace

Task<std::vector<CheckedPdu>> PduChecker::check(const RoomVersion* version, std::vector<boost::json::object> pdus,
                                                std::optional<ServerName> to_be_signed_by, CitationLimits limits) {
  auto candidates = std::make_shared<std::vector<Candidate>>(pdus.size());
  for (std::size_t i = 0; i < pdus.size(); ++i)
    (*candidates)[i].pdu = std::move(pdus[i]);
  auto read = [version, to_be_signed_by, limits](Candidate& candidate) {
    candidate.read(*version, to_be_signed_by, limits);
  };
  co_await in_chunks(cpu_, candidates, std::move(read));
  co_await find_keys(candidates);
  auto verify = [](Candidate& candidate) { candidate.verify(); };
  co_await in_chunks(cpu_, candidates, std::move(verify));

  std::vector<CheckedPdu> results;
  results.reserve(candidates->size());
  for (auto& candidate : *candidates) {
    count(candidate);
    if (candidate.refused)
      results.push_back({std::move(candidate.id), std::move(*candidate.refused)});
    else
      results.push_back({std::move(candidate.id), VerifiedEvent(std::move(candidate.event), candidate.hash_mismatch)});
  }
  co_return results;
}

void PduChecker::count(const Candidate& candidate) {
  const char* failed = "format";
  if (!candidate.refused) {
    if (!candidate.hash_mismatch) return;
    failed = "hash";
  } else if (candidate.refused->code == ErrorCode::too_large) {
    failed = "size";
  } else if (candidate.refused->code == ErrorCode::invalid_signature) {
    failed = "signature";
  }
  metrics_
      .counter("federation_events_failing_checks_total",
               "Events of other servers that were dropped, or for a wrong hash redacted", {{"check", failed}})
      .Increment();
}

namespace {

// spec: rooms/v5#signing-key-validity-period. Before version 5 any key counts that the server ever had.
Timestamp valid_at(const Event& event) {
  return event.version().enforce_key_validity ? event.origin_server_ts() : 0;
}

}  // namespace

// One server after another within a server, servers side by side: a server that is down must not hold up the others.
Task<> PduChecker::find_keys(std::shared_ptr<std::vector<Candidate>> candidates) {
  struct Wanted {
    Signature* signature;
    Timestamp at;
  };
  auto by_server = std::make_shared<std::map<ServerName, std::vector<Wanted>>>();
  for (auto& candidate : *candidates)
    for (auto& [server, signatures] : candidate.signers)
      for (auto& signature : signatures)
        (*by_server)[server].push_back({&signature, valid_at(*candidate.event)});
  auto servers = std::make_shared<std::vector<ServerName>>();
  for (const auto& [server, wanted] : *by_server)
    servers->push_back(server);

  std::function<Task<>(std::size_t)> job = [this, candidates, by_server, servers](std::size_t index) -> Task<> {
    const ServerName& server = (*servers)[index];
    for (auto& wanted : (*by_server)[server]) {
      auto& signature = *wanted.signature;
      signature.public_key = co_await keys_.event_key(server, signature.given.key_id, wanted.at);
    }
  };
  const std::size_t count = servers->size();
  co_await for_each_concurrently(count, key_fetches_at_once, std::move(job));
}

Task<Result<VerifiedEvent>> PduChecker::check(const RoomVersion* version, boost::json::object pdu,
                                              std::optional<ServerName> to_be_signed_by) {
  std::vector<boost::json::object> one;
  one.push_back(std::move(pdu));
  auto results = co_await check(version, std::move(one), std::move(to_be_signed_by));
  co_return std::move(results.front().event);
}

Task<std::vector<VerifiedEvent>> PduChecker::passing(const RoomVersion* version, std::vector<boost::json::object> pdus,
                                                     CitationLimits limits) {
  auto results = co_await check(version, std::move(pdus), std::nullopt, limits);
  std::vector<VerifiedEvent> out;
  for (auto& [id, event] : results) {
    if (event)
      out.push_back(std::move(*event));
    else
      log::info("federation: dropped {}: {}", id, event.error().message);
  }
  co_return out;
}

}  // namespace causeway
