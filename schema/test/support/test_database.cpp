#include "schema/test/support/test_database.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <memory>
#include <pqxx/pqxx>
#include <stdexcept>

#include "schema/db/consistency.hpp"
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

// On one connection for all tests: making one takes as long as the check at a test's end.
void run(const std::string& sql) {
  static std::unique_ptr<pqxx::connection> admin;
  if (!admin || !admin->is_open()) admin = std::make_unique<pqxx::connection>(url_of("postgres"));
  pqxx::nontransaction(*admin).exec(sql);
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

TestDatabase::TestDatabase(Rows rows) : name_(fresh_name()), url_(url_of(name_)), rows_(rows) {
  run("create database " + name_ + " template " + migrated_template());
}

TestDatabase::~TestDatabase() {
  try {
    if (rows_ == Rows::of_the_program) check();
    run("drop database " + name_ + " with (force)");
  } catch (const std::exception& error) {
    // A test may have ended its server. The whole of it goes away with the test run.
    if (!dynamic_cast<const pqxx::broken_connection*>(&error)) ADD_FAILURE() << error.what();
  }
}

void TestDatabase::check() const {
  db::Connection connection(url_);
  auto findings = db::check_consistency(connection);
  std::erase_if(findings, [this](const db::Finding& finding) { return allowed_.contains(finding.rule); });
  if (!findings.empty()) ADD_FAILURE() << "The database is not consistent:\n" << db::to_text(findings);
}

std::string make_empty_database() {
  const std::string name = fresh_name();
  run("create database " + name);
  return url_of(name);
}

}  // namespace causeway::test
