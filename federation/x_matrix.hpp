// The X-Matrix authentication scheme: header and signed bytes, without keys.
//
// spec: server-server-api#request-authentication
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "schema/matrix/error.hpp"
#include "schema/matrix/ids.hpp"

namespace causeway::federation {

struct XMatrix {
  std::string origin;
  std::optional<std::string> destination;  // absent from older servers
  std::string key;
  std::string signature;  // base64
};

// All X-Matrix credentials of an Authorization header; several headers arrive joined by commas. Values may be quoted or
// not, names in any case, unknown parameters are ignored. Empty when there are none; M_UNAUTHORIZED when one is
// malformed.
Result<std::vector<XMatrix>> parse_x_matrix(std::string_view header);

std::string format_x_matrix(const XMatrix& credentials);

// The canonical JSON that a request's signature is over. `content` is the canonical body, nothing for none. Who it is
// for is signed even where the header does not say it.
std::string signed_request_bytes(std::string_view method, std::string_view uri, std::string_view origin,
                                 std::string_view destination, const std::optional<std::string>& content);

}  // namespace causeway::federation
