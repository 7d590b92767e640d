#include "conformance/bench/reply_reader.hpp"

#include <charconv>
#include <cstring>

namespace causeway::bench {

namespace {

constexpr std::size_t max_head = 16 * 1024;
constexpr std::string_view end_of_head = "\r\n\r\n";
constexpr std::string_view status_line = "HTTP/1.1 200";
constexpr std::string_view length_header = "\r\ncontent-length: ";

}  // namespace

ReplyReader::Progress ReplyReader::take(std::string_view bytes) {
  if (status_ == 0) {
    const std::size_t before = head_.size();
    head_ += bytes;
    const auto end = head_.find(end_of_head);
    if (end == std::string::npos) return head_.size() > max_head ? Progress::broken : Progress::partial;
    bytes.remove_prefix(end + end_of_head.size() - before);
    head_.resize(end);
    if (!read_head()) return Progress::broken;
  }
  if (bytes.size() > missing_) return Progress::broken;
  missing_ -= bytes.size();
  return missing_ == 0 ? Progress::whole : Progress::partial;
}

bool ReplyReader::read_head() {
  if (head_.size() < status_line.size()) return false;
  const char* const end = head_.data() + head_.size();
  std::from_chars(head_.data() + status_line.size() - 3, head_.data() + status_line.size(), status_);
  const char* length = strcasestr(head_.c_str(), length_header.data());
  if (!length) return false;
  return std::from_chars(length + length_header.size(), end, missing_).ec == std::errc{} && status_ != 0;
}

void ReplyReader::start_anew() {
  head_.clear();
  status_ = 0;
  missing_ = 0;
}

}  // namespace causeway::bench
