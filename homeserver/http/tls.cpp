#include "homeserver/http/tls.hpp"

#include <openssl/ssl.h>

#include <boost/asio/buffer.hpp>
#include <stdexcept>

namespace causeway::http {
namespace {

namespace ssl = boost::asio::ssl;

// We speak HTTP/1.1 only, and say so to clients that offer more.
int select_protocol(SSL*, const unsigned char** out, unsigned char* out_length, const unsigned char* offered,
                    unsigned offered_length, void*) {
  static constexpr unsigned char ours[] = "\x08http/1.1";
  unsigned char* selected = nullptr;
  const int result = SSL_select_next_proto(&selected, out_length, ours, sizeof(ours) - 1, offered, offered_length);
  if (result != OPENSSL_NPN_NEGOTIATED) return SSL_TLSEXT_ERR_NOACK;
  *out = selected;
  return SSL_TLSEXT_ERR_OK;
}

void check(const boost::system::error_code& error, const char* what) {
  if (error) throw std::runtime_error(std::string(what) + ": " + error.message());
}

}  // namespace

std::shared_ptr<ssl::context> make_tls_context(const std::string& certificate_pem, const std::string& key_pem) {
  auto context = std::make_shared<ssl::context>(ssl::context::tls_server);
  boost::system::error_code error;
  context->use_certificate_chain(boost::asio::buffer(certificate_pem), error);
  check(error, "the TLS certificate does not load");
  context->use_private_key(boost::asio::buffer(key_pem), ssl::context::pem, error);
  check(error, "the TLS key does not load or does not match the certificate");
  SSL_CTX* native = context->native_handle();
  if (SSL_CTX_check_private_key(native) != 1) throw std::runtime_error("the TLS key does not match the certificate");
  SSL_CTX_set_min_proto_version(native, TLS1_2_VERSION);
  SSL_CTX_set_options(native, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE);
  SSL_CTX_set_mode(native, SSL_MODE_RELEASE_BUFFERS);  // 20,000 waiting connections
  SSL_CTX_set_alpn_select_cb(native, select_protocol, nullptr);
  return context;
}

}  // namespace causeway::http
