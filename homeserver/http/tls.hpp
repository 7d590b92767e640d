// The TLS side of a listener.
#pragma once

#include <boost/asio/ssl/context.hpp>
#include <memory>
#include <string>

namespace causeway::http {

// A server context for TLS 1.2 and 1.3. Throws std::runtime_error when the PEM texts do not load or do not match.
std::shared_ptr<boost::asio::ssl::context> make_tls_context(const std::string& certificate_pem,
                                                            const std::string& key_pem);

}  // namespace causeway::http
