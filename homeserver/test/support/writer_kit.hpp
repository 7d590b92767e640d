// An EventWriter with all it needs, on a database of its own.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "homeserver/stream/event_writer.hpp"
#include "homeserver/stream/stream_hub.hpp"
#include "homeserver/test/support/run_task.hpp"
#include "schema/test/support/test_database.hpp"

namespace causeway::test {

class WriterKit {
 public:
  // `url`: another way to the database, e.g. through a proxy.
  explicit WriterKit(const std::string& url, WriterSettings settings = {})
      : url_(url), writer(reactor.get_executor(), url, settings, hub, metrics) {
    hub.add_listener(Stage::caches, [this](const std::vector<CommittedPtr>& commits) {
      facts.insert(facts.end(), commits.begin(), commits.end());
    });
    hub.start_at(writer.take_over());
  }

  // Hands all over in this order before any of them is answered.
  std::vector<Written> commit(const std::vector<WriteUnitPtr>& units) {
    std::vector<std::optional<Written>> results(units.size());
    for (std::size_t i = 0; i < units.size(); ++i)
      spawn(reactor, writer.commit(units[i]), [&results, i](std::exception_ptr error, Written result) {
        if (error) std::rethrow_exception(error);
        results[i] = std::move(result);
      });
    reactor.restart();
    reactor.run();
    std::vector<Written> all;
    for (auto& result : results)
      all.push_back(std::move(result.value()));
    return all;
  }
  Written commit(const WriteUnitPtr& unit) { return std::move(commit(std::vector<WriteUnitPtr>{unit}).front()); }

 private:
  std::string url_;

 public:
  asio::io_context reactor;
  StreamHub hub;
  std::vector<CommittedPtr> facts;  // of all commits
  Metrics metrics;
  EventWriter writer;
};

// One value from the database.
template <class T = std::int64_t>
T ask(const std::string& url, const std::string& sql) {
  pqxx::connection connection(url);
  pqxx::nontransaction now(connection);
  return now.exec(sql)[0][0].as<T>();
}

}  // namespace causeway::test
