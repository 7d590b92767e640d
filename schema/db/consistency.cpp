#include "schema/db/consistency.hpp"

#include <boost/algorithm/string/replace.hpp>

#include "schema/db/tables/enums.hpp"

namespace causeway::db {

namespace {

// Tables that rules share.
//   self      this server's number; no row before the first start
//   known     rooms, whole or being deleted: those have no row in rooms any more, and rows everywhere else
//   given     every position that was handed out and is held by something
//   members   who holds an m.room.member key of a room's current state, and as what
constexpr std::string_view common_tables = R"(
with self as (
  select server_nid from servers where name = (select value from server_meta where key = 'server_name')
), known as (
  select room_nid from rooms union all select room_nid from room_purges where room_id is not null
), given as (
  select anchor as position, 'event ' || event_nid as holder from events where anchor is not null and sub = 0
  union all
  -- That of a live event is the event's.
  select m.position, 'membership of user ' || m.user_nid || ' in room ' || m.room_nid from memberships m
    left join events e on e.event_nid = m.event_nid and e.sub = 0 and e.anchor = m.position where e.event_nid is null
  union all
  select position, 'receipt of user ' || user_nid || ' in room ' || room_nid from receipts
  union all
  -- Those that are moved together have one.
  select position, 'aliases of room ' || room_nid from aliases where position > 0 group by position, room_nid
  union all
  select position, 'account data of user ' || user_nid || ' in room ' || room_nid from account_data
), members as (
  select s.room_nid, k.state_key as user_id, s.event_nid,
    -- Read as in room_timelines.cpp, numbered as in enums.hpp.
    coalesce(array_position(array['leave', 'invite', 'join', 'knock', 'ban'],
      replace(convert_from(e.json, 'UTF8'), '\u0000', '\ufffd')::json -> 'content' ->> 'membership') - 1, 0) as membership
  from room_state s join state_keys k using (state_key_nid) join events e on e.event_nid = s.event_nid
  where s.line = 0 and s.to_version = 2147483647 and k.type = 'm.room.member'
))";

std::string with_flags(std::string_view rule) {
  constexpr std::pair<const char*, EventFlags> names[] = {
      {"<rejected>", EventFlags::rejected}, {"<soft_failed>", EventFlags::soft_failed},
      {"<redacted>", EventFlags::redacted}, {"<withheld>", EventFlags::withheld},
      {"<unjudged>", EventFlags::unjudged}, {"<behind_gap>", EventFlags::behind_gap}};
  std::string sql(rule);
  for (const auto& [name, flag] : names)
    boost::replace_all(sql, name, std::to_string(static_cast<int>(flag)));
  return sql;
}

// One statement, so that all rules look at the same moment.
std::string statement() {
  std::string sql(common_tables);
  const char* between = " ";
  for (const ConsistencyRule& rule : consistency_rules()) {
    sql += between;
    sql += "(select '";
    sql += rule.name;
    sql += "', found.rows from (";
    sql += with_flags(rule.sql);
    sql += ") found(rows) limit " + std::to_string(max_findings) + ")";
    between = " union all ";
  }
  return sql;
}

}  // namespace

std::vector<Finding> check_consistency(Connection& connection) {
  static const std::string sql = statement();
  // Over a small database compiling, and looking for a better order of joins than the one written, take longer than all
  // the rules.
  connection.exec_script(
      "set statement_timeout = 0; set jit = off; set join_collapse_limit = 1; set from_collapse_limit = 1");
  std::vector<Finding> findings;
  for (const auto& row : connection.exec(sql.c_str()))
    findings.push_back({row[0].as<std::string>(), row[1].as<std::string>()});
  return findings;
}

std::string to_text(const std::vector<Finding>& findings) {
  std::string text;
  for (const Finding& finding : findings)
    text += finding.rule + ": " + finding.rows + "\n";
  return text;
}

}  // namespace causeway::db
