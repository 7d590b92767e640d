#include "homeserver/app/logging.hpp"

#include <spdlog/formatter.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include "schema/json/json.hpp"

namespace causeway {

namespace {

class JsonFormatter final : public spdlog::formatter {
 public:
  void format(const spdlog::details::log_msg& message, spdlog::memory_buf_t& out) override {
    const auto since_epoch = message.time.time_since_epoch();
    std::string line = "{\"ts\":";
    line += std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(since_epoch).count());
    line += ",\"level\":";
    const auto level = spdlog::level::to_string_view(message.level);
    json::append_quoted(line, {level.data(), level.size()});
    line += ",\"message\":";
    json::append_quoted(line, {message.payload.data(), message.payload.size()});
    line += "}\n";
    out.append(line.data(), line.data() + line.size());
  }
  std::unique_ptr<spdlog::formatter> clone() const override { return std::make_unique<JsonFormatter>(); }
};

}  // namespace

void set_up_logging(const std::string& level, const std::string& format) {
  auto logger = std::make_shared<spdlog::logger>("causeway", std::make_shared<spdlog::sinks::stderr_sink_mt>());
  logger->set_level(spdlog::level::from_str(level));
  logger->flush_on(spdlog::level::info);
  if (format == "json")
    logger->set_formatter(std::make_unique<JsonFormatter>());
  else
    logger->set_pattern("%Y-%m-%d %H:%M:%S.%e %-5l %v");
  spdlog::set_default_logger(std::move(logger));
}

}  // namespace causeway
