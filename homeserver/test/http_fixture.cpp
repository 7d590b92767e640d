#include "homeserver/test/http_fixture.hpp"
#include "schema/log.hpp"

#include <arpa/inet.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <spdlog/spdlog.h>
#include <sys/socket.h>
#include <unistd.h>

#include <boost/algorithm/string/case_conv.hpp>

namespace causeway::http::test {

std::string Reply::errcode() const {
  boost::system::error_code error;
  const auto value = boost::json::parse(body, error);
  if (error || !value.is_object() || !value.as_object().contains("errcode")) return "not an error: " + body;
  return std::string(value.as_object().at("errcode").as_string());
}

RawClient::RawClient(std::uint16_t port, bool tls) : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  const timeval guard{10, 0};
  setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &guard, sizeof(guard));
  setsockopt(fd_, SOL_SOCKET, SO_SNDTIMEO, &guard, sizeof(guard));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0)
    throw std::runtime_error("cannot connect");
  if (!tls) return;
  context_ = SSL_CTX_new(TLS_client_method());
  ssl_ = SSL_new(context_);
  SSL_set_fd(ssl_, fd_);
  if (SSL_connect(ssl_) != 1) throw std::runtime_error("TLS handshake failed");
}

RawClient::~RawClient() {
  close();
  if (ssl_) SSL_free(ssl_);
  if (context_) SSL_CTX_free(context_);
}

void RawClient::close() {
  if (fd_ >= 0) ::close(std::exchange(fd_, -1));
}

void RawClient::send(std::string_view bytes) {
  while (!bytes.empty()) {
    const auto sent = ssl_ ? SSL_write(ssl_, bytes.data(), static_cast<int>(bytes.size()))
                           : ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return;  // the server may close early; what it said is read afterwards
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
}

bool RawClient::read_more() {
  std::array<char, 16 * kib> chunk;
  const auto got =
      ssl_ ? SSL_read(ssl_, chunk.data(), static_cast<int>(chunk.size())) : recv(fd_, chunk.data(), chunk.size(), 0);
  EXPECT_FALSE(got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) << "the server neither answers nor closes";
  if (got <= 0) return false;
  received_.append(chunk.data(), static_cast<std::size_t>(got));
  return true;
}

Reply RawClient::read_reply(bool head_only) {
  std::size_t end;
  while ((end = received_.find("\r\n\r\n")) == std::string::npos)
    if (!read_more()) return {};
  Reply reply;
  std::istringstream head(received_.substr(0, end + 2));
  received_.erase(0, end + 4);
  std::string line;
  std::getline(head, line);
  reply.status = std::stoi(line.substr(line.find(' ')));
  while (std::getline(head, line) && line.size() > 1) {
    const auto colon = line.find(": ");
    reply.headers[boost::algorithm::to_lower_copy(line.substr(0, colon))] =
        line.substr(colon + 2, line.size() - colon - 3);
  }
  const auto length = reply.headers.find("content-length");
  const std::size_t size = head_only || length == reply.headers.end() ? 0 : std::stoul(length->second);
  while (received_.size() < size)
    if (!read_more()) break;
  reply.body = received_.substr(0, size);
  received_.erase(0, size);
  return reply;
}

Reply RawClient::roundtrip(std::string_view bytes) {
  send(bytes);
  return read_reply();
}

std::string RawClient::read_to_end() {
  while (read_more()) {
  }
  return std::exchange(received_, {});
}

std::string RawClient::certificate_name() const {
  X509* certificate = SSL_get1_peer_certificate(ssl_);
  char name[256] = "";
  X509_NAME_get_text_by_NID(X509_get_subject_name(certificate), NID_commonName, name, sizeof(name));
  X509_free(certificate);
  return name;
}

namespace {

std::string read_bio(BIO* bio) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);
  std::string text(data, static_cast<std::size_t>(size));
  BIO_free(bio);
  return text;
}

}  // namespace

Certificate make_certificate(const std::string& common_name) {
  EVP_PKEY* key = EVP_EC_gen("P-256");
  X509* certificate = X509_new();
  X509_set_version(certificate, X509_VERSION_3);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
  X509_gmtime_adj(X509_getm_notBefore(certificate), -60);
  X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
  X509_set_pubkey(certificate, key);
  X509_NAME* name = X509_get_subject_name(certificate);
  X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, reinterpret_cast<const unsigned char*>(common_name.c_str()), -1,
                             -1, 0);
  X509_set_issuer_name(certificate, name);
  X509_sign(certificate, key, EVP_sha256());
  BIO* certificate_out = BIO_new(BIO_s_mem());
  PEM_write_bio_X509(certificate_out, certificate);
  BIO* key_out = BIO_new(BIO_s_mem());
  PEM_write_bio_PrivateKey(key_out, key, nullptr, nullptr, 0, nullptr, nullptr);
  X509_free(certificate);
  EVP_PKEY_free(key);
  return {read_bio(certificate_out), read_bio(key_out)};
}

Task<> Gate::wait() {
  if (!std::exchange(was_reached_, true)) reached_.set_value();
  co_await expiry(timer_);
}

void Gate::open() {
  timer_.cancel();
}

HttpTest::HttpTest() : work_(context_.get_executor()) {
  spdlog::set_level(spdlog::level::off);
  settings.listeners.push_back({"127.0.0.1", 0});
}

HttpTest::~HttpTest() {
  if (thread_.joinable()) {
    on_reactor([this] { server_.reset(); });
    work_.reset();
    context_.stop();
    thread_.join();
  }
}

void HttpTest::add(Verb verb, std::string path, Handler handler, Auth auth, RateClass rate, std::size_t body_limit) {
  router_.add(Route{verb, std::move(path), "test_operation", auth, rate, body_limit, std::move(handler)});
}

void HttpTest::add(Route route) {
  router_.add(std::move(route));
}

void HttpTest::start() {
  server_ = std::make_unique<Server>(executor(), settings, router_, AccessTokenAuthenticators{this}, *this, cpu_, clock,
                                     metrics_);
  ports_ = server_->listen();
  thread_ = std::thread([this] { context_.run(); });
}

void HttpTest::on_reactor(std::function<void()> work) {
  std::packaged_task<void()> task(std::move(work));
  auto done = task.get_future();
  asio::post(context_, [&task] { task(); });
  done.get();
}

Task<std::optional<Result<Requester>>> HttpTest::authenticate_token(std::string token, const Request&) {
  if (!token.starts_with("good")) co_return std::nullopt;
  Requester requester;
  requester.is_guest = token == "good-guest";
  requester.is_locked = token == "good-locked";
  requester.is_suspended = token == "good-suspended";
  requester.is_admin = token == "good-admin";
  const std::size_t colon = token.find(':');
  requester.user = UserId::trusted("@" + (colon == token.npos ? "user" : token.substr(colon + 1)) + ":test");
  co_return requester;
}

Task<Result<ServerName>> HttpTest::authenticate_origin(const Request& request) {
  if (!request.header("authorization").starts_with("X-Matrix"))
    co_return make_error(ErrorCode::unauthorized, "No X-Matrix.");
  co_return ServerName::trusted("peer.test");
}

Task<Result<Response>> echo(Request& request) {
  boost::json::object out;
  out["path"] = request.path;
  out["parameters"] = boost::json::array(request.path_parameters.begin(), request.path_parameters.end());
  out["body"] = request.body;
  out["remote_address"] = request.remote_address;
  out["user"] = request.requester ? request.requester->user.str() : "";
  out["origin"] = request.origin ? request.origin->str() : "";
  for (const auto& [name, value] : request.query)
    out.emplace("query:" + name, value);  // the first of a name
  for (const auto& [name, value] : request.headers)
    out["header:" + name] = value;
  co_return Response::json(out);
}

}  // namespace causeway::http::test
