// Table account_data. Written by the group-commit writer alone, which gives the positions.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "schema/db/write_batch.hpp"
#include "schema/matrix/ids.hpp"

namespace causeway::db {

// A kind of stream data (homeserver/stream/change.hpp). room: RoomNid{0} for global data.
struct AccountDataChange {
  UserNid user{};
  RoomNid room{};
  std::string type;
  std::string content_json;
  StreamPosition position = 0;  // once committed
};
void add(WriteBatch& batch, const AccountDataChange& change, StreamPosition offset);
inline std::size_t weight_bytes(const AccountDataChange& change) {
  return change.type.size() + change.content_json.size();
}

// room: RoomNid{0} for global data.
struct AccountData {
  RoomNid room{};
  std::string type;
  std::string content_json;
  StreamPosition position = 0;
};

// The content; none when it was never set.
std::optional<std::string> find_account_data(Connection& connection, UserNid user, RoomNid room,
                                             const std::string& type);
// What a row counts for, and what all the rows of the user do (migrations/0013_account_data_use.sql).
inline constexpr std::size_t account_data_row_bytes = 256;
inline std::size_t account_data_bytes(std::string_view type, std::string_view content_json) {
  return account_data_row_bytes + type.size() + content_json.size();
}
std::int64_t account_data_use(Connection& connection, UserNid user);
// From now on a commit is refused that makes a user's account data grow beyond this.
void bound_account_data(Connection& connection, std::size_t bytes);
// What has since < position <= until, by position, of one user: global and of every room. At most `max_bytes`, the
// newest ones.
std::vector<AccountData> account_data_changed(Connection& connection, UserNid user, StreamPosition since,
                                              StreamPosition until, std::size_t max_bytes);
// What the user set of these types globally, in any order.
std::vector<AccountData> global_account_data(Connection& connection, UserNid user,
                                             std::span<const std::string_view> types);
// What the user set in these rooms, in any order. At most `max_bytes`, the newest ones.
std::vector<AccountData> account_data_of_rooms(Connection& connection, UserNid user, const std::vector<RoomNid>& rooms,
                                               StreamPosition until, std::size_t max_bytes);
// The position of what the user set last; 0: nothing yet.
StreamPosition last_account_data(Connection& connection, UserNid user);

}  // namespace causeway::db
