// A database of its own for each test, cloned from a migrated template. Run the tests under
// conformance/support/with-postgres.
#pragma once

#include <initializer_list>
#include <set>
#include <string>
#include <string_view>

namespace causeway::test {

// Whose rows a test's database holds.
enum class Rows {
  of_the_program,  // all rules of schema/db/consistency.hpp hold of them when the test ends, or it fails
  by_hand,         // only as much as the test needs of them
};

class TestDatabase {
 public:
  explicit TestDatabase(Rows rows = Rows::of_the_program);  // throws when CAUSEWAY_TEST_POSTGRES is not set
  ~TestDatabase();                                          // checks and drops it
  TestDatabase(const TestDatabase&) = delete;
  TestDatabase& operator=(const TestDatabase&) = delete;
  const std::string& url() const { return url_; }

  // The test breaks these rules on purpose.
  void allow(std::initializer_list<std::string_view> rules) { allowed_.insert(rules.begin(), rules.end()); }

 private:
  void check() const;
  std::string name_, url_;
  Rows rows_;
  std::set<std::string, std::less<>> allowed_;
};

// A database without any tables, for tests of migrations.
std::string make_empty_database();

}  // namespace causeway::test
