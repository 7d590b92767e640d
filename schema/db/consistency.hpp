// What must be true of every database this program made, whatever ended the process that wrote it: the rules, and what
// breaks them. Nothing is changed.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "schema/db/database.hpp"

namespace causeway::db {

// One promise of the schema. Its statement selects a text for each row, or group of rows, that breaks it.
struct ConsistencyRule {
  std::string_view name;  // "state_spans_overlap": says what is wrong where it finds something
  std::string_view sql;   // may use the common tables of consistency.cpp
};
std::span<const ConsistencyRule> consistency_rules();

struct Finding {
  std::string rule;
  std::string rows;  // which rows, for a person
  bool operator==(const Finding&) const = default;
};

// Of each rule.
inline constexpr int max_findings = 20;

// All rules over the whole database, as of one moment: a server may go on writing. Takes as long as reading every table
// does. The connection is one for this alone: its settings are changed, and its limit on statements is lifted.
std::vector<Finding> check_consistency(Connection& connection);

// "rule: rows", a line each.
std::string to_text(const std::vector<Finding>& findings);

}  // namespace causeway::db
