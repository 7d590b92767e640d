// Finds the end of one HTTP/1.1 reply after another on a connection. It looks at the status and the length, and counts
// the bytes of the body.
#pragma once

#include <string>
#include <string_view>

namespace causeway::bench {

class ReplyReader {
 public:
  enum class Progress { partial, whole, broken };
  // What came; bytes beyond the end of the reply, which nobody asked for, break it.
  Progress take(std::string_view bytes);
  int status() const { return status_; }
  void start_anew();

 private:
  bool read_head();
  std::string head_;
  int status_ = 0;  // once the head is complete
  std::size_t missing_ = 0;
};

}  // namespace causeway::bench
