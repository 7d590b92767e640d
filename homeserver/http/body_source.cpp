#include "homeserver/http/body_source.hpp"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

namespace causeway::http {

namespace {

constexpr std::uint64_t piece_bytes = 128 * 1024;

// Owned by what reads it too, which may run on the pool when the reply has been given up.
class File {
 public:
  explicit File(int descriptor) : descriptor_(descriptor) {}
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  ~File() { ::close(descriptor_); }

  std::string read(std::uint64_t offset, std::uint64_t bytes) const {
    std::string piece(bytes, '\0');
    ssize_t got = 0;
    do
      got = ::pread(descriptor_, piece.data(), piece.size(), static_cast<off_t>(offset));
    while (got < 0 && errno == EINTR);
    if (got < 0) throw std::system_error(errno, std::generic_category(), "reading a file");
    if (got == 0) throw std::runtime_error("a file is shorter than it was");
    piece.resize(static_cast<std::size_t>(got));
    return piece;
  }

 private:
  int descriptor_;
};

class FileBody final : public BodySource {
 public:
  FileBody(CpuPool& pool, int descriptor, std::uint64_t offset, std::uint64_t length)
      : pool_(pool), file_(std::make_shared<File>(descriptor)), offset_(offset), left_(length), length_(length) {}

  std::optional<std::uint64_t> length() const override { return length_; }
  Task<std::string> read() override {
    if (left_ == 0) co_return std::string();
    auto work = [file = file_, offset = offset_, bytes = std::min(left_, piece_bytes)] {
      return file->read(offset, bytes);
    };
    std::string piece = co_await pool_.run(std::move(work));
    offset_ += piece.size();
    left_ -= piece.size();
    co_return piece;
  }

 private:
  CpuPool& pool_;
  const std::shared_ptr<File> file_;
  std::uint64_t offset_, left_;
  const std::uint64_t length_;
};

}  // namespace

BodySourcePtr file_body(CpuPool& pool, int descriptor, std::uint64_t offset, std::uint64_t length) {
  return std::make_shared<FileBody>(pool, descriptor, offset, length);
}

}  // namespace causeway::http
