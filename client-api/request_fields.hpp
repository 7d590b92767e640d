// What a request says, field by field: path, query and body. The first that is wrong is kept, so that a handler states
// its fields and looks once, before it uses any; `error()` stands in the order in which they were read.
#pragma once

#include <chrono>

#include "client-api/client_api.hpp"
#include "homeserver/sync/filter.hpp"
#include "schema/json/object_reader.hpp"

namespace causeway::client_api {

enum class EmptyBody { is_wrong, is_empty_object };

class RequestFields : public json::ObjectReader {
 public:
  explicit RequestFields(const http::Request& request) : request_(request) {}

  // Path parameters: M_INVALID_PARAM when they don't have the form of their type.
  RoomId room_id(std::size_t index = 0);
  EventId event_id(std::size_t index);
  RoomAlias room_alias(std::size_t index = 0);
  // M_FORBIDDEN when the path names anybody but the requester.
  void own_user(std::size_t index = 0);

  // The query: M_INVALID_PARAM when it does not have the form of its type.
  std::optional<std::string> query(std::string_view name) const { return request_.query_parameter(name); }
  bool query_flag(std::string_view name);  // false when absent
  // A number from 0 up; at most `maximum`.
  std::size_t limit(std::size_t otherwise, std::size_t maximum);
  std::chrono::milliseconds timeout();                   // 0 when absent or empty
  std::optional<OrderKey> place(std::string_view name);  // a pagination token; none when absent or empty
  RoomEventFilter filter();                              // `filter`, inline; everything when absent or empty

  // From here on members are the body's: M_NOT_JSON, M_BAD_JSON.
  void read_body(EmptyBody empty = EmptyBody::is_wrong) {
    read_from(request_.json_object(empty == EmptyBody::is_empty_object));
  }

 private:
  const http::Request& request_;
};

// {}, once what was asked for is done.
template <class T>
Result<http::Response> empty_reply(const Result<T>& done) {
  if (done.has_error()) return done.error();
  return http::Response::empty_object();
}

}  // namespace causeway::client_api
