#include "schema/db/tables/memberships.hpp"

namespace causeway::db {

namespace {

std::vector<MembershipRow> read_memberships(const pqxx::result& rows) {
  std::vector<MembershipRow> out;
  out.reserve(rows.size());
  for (const auto& row : rows) {
    MembershipRow& read = out.emplace_back();
    read.room = read_int<RoomNid>(row[0]);
    read.membership = static_cast<Membership>(row[1].as<int>());
    read.event = read_int<EventNid>(row[2]);
    read.position = read_int(row[3]);
    if (!row[4].is_null()) read.stripped_state = read_bytes(row[4]);
  }
  return out;
}

}  // namespace

std::vector<MembershipRow> memberships_of_user(Connection& connection, UserNid user) {
  return read_memberships(
      connection.exec("select room_nid, membership, event_nid, position, stripped_state from memberships "
                      "where user_nid = $1 and not forgotten order by room_nid limit $2",
                      user, max_rooms_per_user));
}

std::vector<MembershipRow> forgotten_memberships(Connection& connection, UserNid user, StreamPosition since,
                                                 StreamPosition until) {
  return read_memberships(connection.exec(
      "select room_nid, membership, event_nid, position, stripped_state from memberships "
      "where user_nid = $1 and forgotten and position > $2 and position <= $3 order by room_nid limit $4",
      user, since, until, max_rooms_per_user));
}

StreamPosition last_forgotten(Connection& connection, UserNid user) {
  const auto rows =
      connection.exec("select coalesce(max(position), 0) from memberships where user_nid = $1 and forgotten", user);
  return read_int<StreamPosition>(rows[0][0]);
}

std::vector<LocalMember> joined_local_members(Connection& connection, std::span<const RoomNid> rooms) {
  const auto rows = connection.exec(
      "select room_nid, user_nid from memberships where room_nid = any($1::bigint[]) and membership = $2 limit $3",
      int_array_of(rooms), Membership::join, max_local_members);
  std::vector<LocalMember> out;
  out.reserve(rows.size());
  for (const auto& row : rows)
    out.push_back({read_int<RoomNid>(row[0]), read_int<UserNid>(row[1])});
  return out;
}

}  // namespace causeway::db
