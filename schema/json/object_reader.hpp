// The members of a JSON object from outside, read one after the other. What is missing where it is required, or of
// another type, is read as nothing, and the first such error is kept: who needs many members names them all and looks
// once, before using any.
//
//   auto name = body.required_string("name");
//   auto topic = body.optional_string("topic");
//   if (const auto& wrong = body.error()) return *wrong;
#pragma once

#include "schema/json/json.hpp"

namespace causeway::json {

class ObjectReader {
 public:
  explicit ObjectReader(object from) : object_(std::move(from)) {}
  // Of an error nothing can be read, and it is the first.
  explicit ObjectReader(Result<object> from) { read_from(std::move(from)); }

  const std::optional<MatrixError>& error() const { return error_; }
  // Something else is wrong with what was read: counts if nothing was before.
  void fail(MatrixError error) {
    if (!error_) error_ = std::move(error);
  }
  // The value, or an empty one and the error is kept.
  template <class T>
  T keep(Result<T> read) {
    if (read) return std::move(*read);
    fail(read.error());
    return T();
  }
  void keep(const Result<>& checked) {
    if (checked.has_error()) fail(checked.error());
  }

  // Errors as json.hpp says. Pointers are into this.
  std::string required_string(std::string_view key) { return keep(json::required_string(object_, key)); }
  std::optional<std::string> optional_string(std::string_view key) { return keep(json::optional_string(object_, key)); }
  std::optional<std::int64_t> optional_int(std::string_view key) { return keep(json::optional_int(object_, key)); }
  std::optional<bool> optional_bool(std::string_view key) { return keep(json::optional_bool(object_, key)); }
  const object* optional_object(std::string_view key) { return keep(json::optional_object(object_, key)); }
  const array* optional_array(std::string_view key) { return keep(json::optional_array(object_, key)); }

  // An identifier; M_INVALID_PARAM where the string is none, which "'key' must be `kind`." says: "a user ID".
  template <class Id>
  Id required_id(std::string_view key, std::string_view kind) {
    const std::string text = required_string(key);
    return error_ ? Id() : parse_id<Id>(key, kind, text);
  }
  template <class Id>
  std::optional<Id> optional_id(std::string_view key, std::string_view kind) {
    const auto text = optional_string(key);
    if (!text) return std::nullopt;
    return parse_id<Id>(key, kind, *text);
  }

  const object& members() const { return object_; }
  object take() { return std::move(object_); }

 protected:
  ObjectReader() = default;
  // Goes on with another object.
  void read_from(Result<object> from) { object_ = keep(std::move(from)); }

 private:
  template <class Id>
  Id parse_id(std::string_view key, std::string_view kind, const std::string& text) {
    auto id = Id::parse(text);
    if (id) return std::move(*id);
    fail(make_error(ErrorCode::invalid_param, "'" + std::string(key) + "' must be " + std::string(kind) + "."));
    return Id();
  }

  std::optional<MatrixError> error_;
  object object_;
};

}  // namespace causeway::json
