#include "homeserver/http/access_token.hpp"

#include <boost/beast/core/string.hpp>

namespace causeway::http {

// The query parameter is deprecated and must still be understood.
std::optional<std::string> access_token(const Request& request) {
  constexpr std::string_view scheme = "Bearer ";
  const auto authorization = request.header("authorization");
  if (boost::beast::iequals(authorization.substr(0, scheme.size()), scheme)) {
    auto token = authorization.substr(scheme.size());
    while (token.starts_with(' '))
      token.remove_prefix(1);
    return std::string(token);
  }
  return request.query_parameter("access_token");
}

}  // namespace causeway::http
