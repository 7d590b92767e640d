#include "federation/federation.hpp"

#include "federation/api.hpp"
#include "federation/intake.hpp"
#include "federation/request_auth.hpp"
#include "federation/request_target.hpp"
#include "federation/sender.hpp"
#include "federation/well_known.hpp"
#include "schema/json/canonical.hpp"

namespace causeway::federation {

namespace {

constexpr std::chrono::seconds key_request_timeout{10};
constexpr std::size_t max_key_document_bytes = 64 * 1024;
constexpr std::size_t max_documents = 8;  // of one server, that a notary tells

class KeysOverHttps final : public KeySource {
 public:
  explicit KeysOverHttps(SignedClient& client) : client_(client) {}
  Task<Result<boost::json::object>> server_keys(ServerName server) override {
    Call call;
    call.server = std::move(server);
    call.target = "/_matrix/key/v2/server";
    call.timeout = key_request_timeout;
    call.max_response_bytes = max_key_document_bytes;
    co_return co_await client_.call_unsigned(std::move(call));
  }

  Task<Result<std::vector<boost::json::object>>> query_keys(ServerName notary, ServerName server) override {
    boost::json::object body;
    body["server_keys"].emplace_object()[server.str()].emplace_object();
    Call call;
    call.server = std::move(notary);
    call.verb = http::Verb::post;
    call.target = "/_matrix/key/v2/query";
    call.body = json::canonical(body);
    call.timeout = key_request_timeout;
    call.max_response_bytes = max_documents * max_key_document_bytes;
    auto reply = co_await client_.call_unsigned(std::move(call));
    if (!reply) co_return reply.error();
    co_return take_objects(*reply, "server_keys", max_documents);
  }

 private:
  SignedClient& client_;
};

}  // namespace

// The parts, in the order in which they depend on each other.
struct Federation::Impl {
  Impl(Services s, Settings given)
      : settings(std::move(given)),
        connector(dns, outbound::AddressPolicy(settings.allowed_ranges, settings.allow_all_addresses),
                  outbound::make_tls_context(settings.extra_ca_pem)),
        well_known(connector, s.clock),
        discovery(dns, well_known),
        http(s.reactor, discovery, connector),
        client(http, s.self, s.cpu),
        key_source(client),
        keys(s.database, key_source, s.clock, s.self, settings.key_validity, settings.trusted_key_servers),
        checker(keys, s.cpu, s.metrics),
        remote({client, checker, s.clock, s.self, s.metrics}, settings.request_timeout, settings.max_response_bytes),
        sender({s.reactor, s.database, s.hub, s.interner, s.reader, s.typing, client, s.clock, s.metrics, s.self},
               outbound::Backoff{settings.first_retry, settings.max_retry}, settings.request_timeout),
        auth(keys, s.cpu, s.self, s.metrics, [this](const ServerName& server) { sender.encourage(server); }),
        gaps({s.reactor, s.database, s.events, s.reader, s.rooms, remote, checker, s.clock, s.metrics, s.self}),
        edus(s.reader, s.receipts, s.typing, s.metrics),
        intake({s.reader, s.rooms, checker, gaps, edus, s.metrics}),
        api{s.events, s.reader, s.rooms, s.accounts, keys, checker, intake, s.cpu, s.clock, s.self} {}

  const Settings settings;
  outbound::CaresDns dns;
  outbound::Connector connector;
  WellKnownClient well_known;
  Discovery discovery;
  HttpClient http;
  SignedClient client;
  KeysOverHttps key_source;
  KeyRing keys;
  PduChecker checker;
  RemoteRooms remote;
  Sender sender;
  RequestAuth auth;
  GapFiller gaps;
  Edus edus;
  Intake intake;
  FederationApi api;
};

Federation::Federation(Services services, Settings settings)
    : impl_(std::make_shared<Impl>(services, std::move(settings))) {}
Federation::~Federation() = default;

RemoteServers& Federation::remote() {
  return impl_->remote;
}

http::FederationAuthenticator& Federation::authenticator() {
  return impl_->auth;
}

void Federation::add_endpoints(http::Router& router) {
  for (const auto table :
       {key_endpoints(), query_endpoints(), membership_endpoints(), history_endpoints(), transaction_endpoints()})
    router.add(table, impl_->api);
}

Task<> Federation::start() {
  co_await impl_->gaps.start();
  co_await impl_->sender.start();
}

Task<> Federation::drain() {
  co_await impl_->sender.drain();
  impl_->http.close();
  co_await impl_->gaps.drain();
}

}  // namespace causeway::federation
