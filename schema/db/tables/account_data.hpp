// Table account_data. Written by the group-commit writer alone, which gives the positions.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "schema/db/database.hpp"
#include "schema/matrix/ids.hpp"

namespace causeway::db {

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
// How many types the user has set there; counts no further than `limit`.
std::size_t count_account_data(Connection& connection, UserNid user, RoomNid room, std::size_t limit);
// What has since < position <= until, by position, of one user: global and of every room. At most `limit` rows.
std::vector<AccountData> account_data_changed(Connection& connection, UserNid user, StreamPosition since,
                                              StreamPosition until, std::size_t limit);
// What the user set of these types globally, in any order.
std::vector<AccountData> global_account_data(Connection& connection, UserNid user,
                                             std::span<const std::string_view> types);
// What the user set in these rooms, in any order. At most `limit` rows.
std::vector<AccountData> account_data_of_rooms(Connection& connection, UserNid user, const std::vector<RoomNid>& rooms,
                                               StreamPosition until, std::size_t limit);
// The position of what the user set last; 0: nothing yet.
StreamPosition last_account_data(Connection& connection, UserNid user);

}  // namespace causeway::db
