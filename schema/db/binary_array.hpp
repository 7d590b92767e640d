// Arrays as parameters in PostgreSQL's binary format: nothing is escaped, copied twice or cut at U+0000.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <vector>

#include "schema/db/database.hpp"

namespace causeway::db {

// One array under construction. Bytes on the wire: dimensions, a flag for nulls, the element type, length, lower bound,
// elements.
class BinaryArray {
 public:
  std::size_t size() const { return size_; }
  // Valid until the next element is added.
  Bytes parameter();

 protected:
  explicit BinaryArray(std::uint32_t element_type) : element_type_(element_type) {}
  void add_element(std::string_view bytes);
  void add_null_element();

 private:
  std::uint32_t element_type_;
  std::uint32_t size_ = 0;
  bool has_null_ = false;
  std::string wire_;
};

// bigint[], for anything that is a number, an enumeration, a bool or an optional of these.
class IntColumn : public BinaryArray {
 public:
  IntColumn() : BinaryArray(20) {}
  template <class T>
  void add(const T& value) {
    add_int(static_cast<std::int64_t>(value));
  }
  template <class T>
  void add(const std::optional<T>& value) {
    value ? add_int(static_cast<std::int64_t>(*value)) : add_null_element();
  }

 private:
  void add_int(std::int64_t value);
};

// bytea[]
class BytesColumn : public BinaryArray {
 public:
  BytesColumn() : BinaryArray(17) {}
  void add(std::string_view value) { add_element(value); }
  template <class T>
  void add(const std::optional<T>& value) {
    value ? add_element(*value) : add_null_element();
  }
};

// The columns of rows of one table, filled row by row.
template <class... Columns>
class Rows {
 public:
  template <class... Values>
  void add(const Values&... values) {
    static_assert(sizeof...(Values) == sizeof...(Columns));
    std::apply([&](Columns&... columns) { (columns.add(values), ...); }, columns_);
  }
  std::size_t size() const { return std::get<0>(columns_).size(); }
  // Appends one parameter for each column, in their order.
  void append_to(std::vector<Bytes>& parameters) {
    std::apply([&](Columns&... columns) { (parameters.push_back(columns.parameter()), ...); }, columns_);
  }
  // The same of some columns.
  template <std::size_t... columns>
  void append_columns_to(std::vector<Bytes>& parameters) {
    (parameters.push_back(std::get<columns>(columns_).parameter()), ...);
  }

 private:
  std::tuple<Columns...> columns_;
};

// A bigint as a parameter in binary format.
class BinaryInt {
 public:
  explicit BinaryInt(std::int64_t value);
  Bytes parameter() const { return Bytes(std::string_view(bytes_, sizeof bytes_)); }

 private:
  char bytes_[8];
};

}  // namespace causeway::db
