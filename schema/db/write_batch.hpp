// What one commit of the stream's writer writes: rows for functions of the database, one for each table.
//
// A table's file says what of it can be written, as a struct, and how that becomes rows (`add`). Nothing else of a
// batch knows the table: whoever has something new to write makes a function in a migration, and a struct with its
// `add`.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "schema/db/binary_array.hpp"
#include "schema/matrix/ids.hpp"

namespace causeway::db {

// Which function, and when: those that come first may write what later ones build on.
struct WriteFunction {
  enum class Turn { rooms, events, heads, state, of_rooms, independent };
  std::string_view name;  // a literal; its parameters are the last position before the batch and one array a column
  Turn turn = Turn::independent;

  friend auto operator<=>(const WriteFunction& a, const WriteFunction& b) {
    return std::tie(a.turn, a.name) <=> std::tie(b.turn, b.name);
  }
  friend bool operator==(const WriteFunction&, const WriteFunction&) = default;
};

// Rows for one function.
class FunctionRows {
 public:
  virtual ~FunctionRows() = default;
  virtual std::size_t size() const = 0;
  // One parameter for each column; returns how many. Valid until the next row is added.
  virtual std::size_t append_to(std::vector<Bytes>& parameters) = 0;
};

template <class... Columns>
class TypedRows : public FunctionRows {
 public:
  template <class... Values>
  void add(const Values&... values) {
    rows_.add(values...);
  }
  std::size_t size() const override { return rows_.size(); }
  std::size_t append_to(std::vector<Bytes>& parameters) override {
    rows_.append_to(parameters);
    return sizeof...(Columns);
  }
  Rows<Columns...>& rows() { return rows_; }

 private:
  Rows<Columns...> rows_;
};

class WriteBatch {
 public:
  // How many positions it takes. Where rows hold a position, they hold its distance from the last one before the batch.
  std::int64_t positions = 0;

  // The rows for a function; `Table` is always the same for it.
  template <class Table>
  Table& rows(const WriteFunction& function) {
    auto& held = tables_[function];
    if (!held) held = std::make_unique<Table>();
    return static_cast<Table&>(*held);
  }

  // In the order in which they are called.
  std::map<WriteFunction, std::unique_ptr<FunctionRows>>& tables() { return tables_; }

  // Of the events: all are live and no state (tables/room_writes.hpp).
  bool only_messages = true;

 private:
  std::map<WriteFunction, std::unique_ptr<FunctionRows>> tables_;
};

}  // namespace causeway::db
