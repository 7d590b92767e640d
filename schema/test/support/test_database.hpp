// A database of its own for each test, cloned from a migrated template. Run the tests under
// conformance/support/with-postgres.
#pragma once

#include <string>

namespace causeway::test {

class TestDatabase {
 public:
  TestDatabase();   // throws when CAUSEWAY_TEST_POSTGRES is not set
  ~TestDatabase();  // drops it
  TestDatabase(const TestDatabase&) = delete;
  TestDatabase& operator=(const TestDatabase&) = delete;
  const std::string& url() const { return url_; }

 private:
  std::string name_, url_;
};

// A database without any tables, for tests of migrations.
std::string make_empty_database();

}  // namespace causeway::test
