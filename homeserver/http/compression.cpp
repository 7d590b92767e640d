#include "homeserver/http/compression.hpp"

#include <zlib.h>

#include <algorithm>
#include <boost/algorithm/string/predicate.hpp>
#include <cstdlib>
#include <stdexcept>

#include "homeserver/http/optional_whitespace.hpp"

namespace causeway::http {
namespace {

// "gzip;q=0.5" -> its weight; 1 when there is none.
double weight(std::string_view parameters) {
  const auto q = parameters.find("q=");
  return q == std::string_view::npos ? 1 : std::strtod(std::string(parameters.substr(q + 2)).c_str(), nullptr);
}

}  // namespace

std::string_view name(Coding coding) {
  switch (coding) {
    case Coding::gzip:
      return "gzip";
    case Coding::deflate:
      return "deflate";
    case Coding::identity:
      break;
  }
  return "identity";
}

Coding choose_coding(std::string_view accept_encoding) {
  double gzip = -1, deflate = -1, any = 0;  // negative: not named
  while (!accept_encoding.empty()) {
    const auto comma = std::min(accept_encoding.find(','), accept_encoding.size());
    const auto entry = trim_whitespace(accept_encoding.substr(0, comma));
    accept_encoding.remove_prefix(std::min(comma + 1, accept_encoding.size()));
    const auto semicolon = std::min(entry.find(';'), entry.size());
    const auto coding = trim_whitespace(entry.substr(0, semicolon));
    const double q = weight(entry.substr(semicolon));
    if (boost::algorithm::iequals(coding, "gzip") || boost::algorithm::iequals(coding, "x-gzip")) gzip = q;
    if (boost::algorithm::iequals(coding, "deflate")) deflate = q;
    if (coding == "*") any = q;
  }
  if (gzip < 0) gzip = any;
  if (deflate < 0) deflate = any;
  if (gzip > 0 && gzip >= deflate) return Coding::gzip;
  return deflate > 0 ? Coding::deflate : Coding::identity;
}

std::string compress(std::string_view body, Coding coding) {
  constexpr int level = 5;          // JSON shrinks hardly more beyond, at twice the time
  constexpr int gzip_wrapper = 16;  // added to the window's bits
  const int window_bits = MAX_WBITS + (coding == Coding::gzip ? gzip_wrapper : 0);
  z_stream stream{};
  if (deflateInit2(&stream, level, Z_DEFLATED, window_bits, 8, Z_DEFAULT_STRATEGY) != Z_OK)
    throw std::runtime_error("deflateInit2 failed");
  std::string out(deflateBound(&stream, body.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(body.data()));
  stream.avail_in = static_cast<uInt>(body.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  const int result = deflate(&stream, Z_FINISH);  // one call: the output is large enough by deflateBound
  out.resize(stream.total_out);
  deflateEnd(&stream);
  if (result != Z_STREAM_END) throw std::runtime_error("deflate failed");
  return out;
}

}  // namespace causeway::http
