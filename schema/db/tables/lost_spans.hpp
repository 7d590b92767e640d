// Table lost_spans: positions handed out in lives of this database that a restored backup has ended.
#pragma once

#include <string_view>
#include <vector>

#include "schema/db/database.hpp"
#include "schema/matrix/ids.hpp"

namespace causeway::db {

// Positions after `after` and before `until`.
struct LostSpan {
  StreamPosition after = 0;
  StreamPosition until = 0;
};

// Few: one for each restore.
std::vector<LostSpan> lost_spans(Connection& connection);

// What ends a restore, in its transaction: from here on positions are new ones.
inline constexpr std::string_view begin_new_life_sql = "set local search_path = public; select begin_new_life();\n";

// True: a restore from a dump of this database can end as it must.
bool can_begin_new_life(Connection& connection);

}  // namespace causeway::db
