#include "schema/db/binary_array.hpp"

#include <boost/endian/conversion.hpp>

namespace causeway::db {

namespace {

constexpr std::size_t header_bytes = 20;

void store_u32(char* at, std::uint32_t value) {
  boost::endian::store_big_u32(reinterpret_cast<unsigned char*>(at), value);
}

void append_u32(std::string& out, std::uint32_t value) {
  char bytes[4];
  store_u32(bytes, value);
  out.append(bytes, sizeof bytes);
}

}  // namespace

void BinaryArray::add_element(std::string_view bytes) {
  if (size_ == 0) wire_.resize(header_bytes);
  append_u32(wire_, static_cast<std::uint32_t>(bytes.size()));
  wire_ += bytes;
  ++size_;
}

void BinaryArray::add_null_element() {
  if (size_ == 0) wire_.resize(header_bytes);
  append_u32(wire_, 0xffffffff);
  ++size_;
  has_null_ = true;
}

Bytes BinaryArray::parameter() {
  const bool empty = size_ == 0;
  wire_.resize(std::max(wire_.size(), empty ? std::size_t{12} : header_bytes));
  store_u32(wire_.data(), empty ? 0 : 1);  // dimensions
  store_u32(wire_.data() + 4, has_null_ ? 1 : 0);
  store_u32(wire_.data() + 8, element_type_);
  if (!empty) {
    store_u32(wire_.data() + 12, size_);
    store_u32(wire_.data() + 16, 1);  // the first index
  }
  return Bytes(wire_);
}

void IntColumn::add_int(std::int64_t value) {
  BinaryInt bytes(value);
  add_element(bytes.parameter().view());
}

BinaryInt::BinaryInt(std::int64_t value) {
  boost::endian::store_big_s64(reinterpret_cast<unsigned char*>(bytes_), value);
}

}  // namespace causeway::db
