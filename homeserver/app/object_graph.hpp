// Every service of a running server and who uses whom. A service that is new is added in object_graph.cpp alone.
#pragma once

#include <boost/asio/io_context.hpp>
#include <memory>
#include <string>

#include "homeserver/app/config.hpp"
#include "homeserver/app/files.hpp"
#include "schema/async/task.hpp"

namespace causeway {

class ObjectGraph {
 public:
  // Migrates the database and takes it over from whoever still writes to it. Nothing runs before the reactor does.
  // `config` must outlive the graph.
  ObjectGraph(const Config& config, const PrivateFiles& files, const std::string& database_url);
  ~ObjectGraph();
  ObjectGraph(const ObjectGraph&) = delete;
  ObjectGraph& operator=(const ObjectGraph&) = delete;

  asio::io_context& reactor();
  // 1 if this server had to end because another took over its database.
  int exit_status() const;

  // Listens, once it can answer.
  Task<> start();
  // Begins what is done now and then as long as the reactor runs.
  void start_cleaning();
  // Long-polls return, what is under way finishes, all that was to be written is.
  Task<> drain();

  // For connections to come. Throws, and keeps those in use, if the new ones are no good.
  void reload_certificates(const PrivateFiles& files);

 private:
  struct Services;
  const Config& config_;
  std::unique_ptr<Services> services_;
};

}  // namespace causeway
