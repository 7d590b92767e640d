#include "schema/db/tables/lost_spans.hpp"

namespace causeway::db {

std::vector<LostSpan> lost_spans(Connection& connection) {
  std::vector<LostSpan> out;
  for (const auto& row : connection.exec("select after, until from lost_spans order by until limit 100000"))
    out.push_back({row[0].as<StreamPosition>(), row[1].as<StreamPosition>()});
  return out;
}

bool can_begin_new_life(Connection& connection) {
  return connection.exec("select to_regproc('begin_new_life') is not null")[0][0].as<bool>();
}

}  // namespace causeway::db
