#include "schema/test/support/test_database.hpp"

#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <pqxx/pqxx>
#include <stdexcept>

#include "schema/db/database.hpp"
#include "schema/db/migrations.hpp"

namespace causeway::test {

namespace {

std::string server() {
  const char* set = std::getenv("CAUSEWAY_TEST_POSTGRES");
  if (!set) throw std::runtime_error("run this under conformance/support/with-postgres");
  return set;
}

std::string url_of(const std::string& database) {
  return server() + " dbname=" + database;
}

void run(const std::string& sql) {
  pqxx::connection admin(url_of("postgres"));
  pqxx::nontransaction now(admin);
  now.exec(sql);
}

std::string fresh_name() {
  static std::atomic<int> count{0};
  return "test_" + std::to_string(getpid()) + "_" + std::to_string(++count);
}

// Made once per process, under its own name: programs that run side by side don't wait for each other.
const std::string& migrated_template() {
  static const std::string name = [] {
    std::string made = "template_" + std::to_string(getpid());
    run("create database " + made);
    db::Connection connection(url_of(made));
    db::migrate(connection);
    return made;
  }();
  return name;
}

}  // namespace

TestDatabase::TestDatabase() : name_(fresh_name()), url_(url_of(name_)) {
  run("create database " + name_ + " template " + migrated_template());
}

TestDatabase::~TestDatabase() {
  try {
    run("drop database " + name_ + " with (force)");
  } catch (const std::exception&) {
    // The whole server goes away with the test run.
  }
}

std::string make_empty_database() {
  const std::string name = fresh_name();
  run("create database " + name);
  return url_of(name);
}

}  // namespace causeway::test
